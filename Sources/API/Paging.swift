import JSON

/// Which part of a list is asked for. Cursors are texts that only the list that gave them understands.
struct Paging: Sendable {
    let count: Int
    /// What the last page gave as `next`.
    let cursor: String?

    static let defaultCount = 50
    static let maximumCount = 200

    init(_ query: QueryParameters) throws(APIError) {
        let text = query["pagination[count]"] ?? query["pagination.count"] ?? query["count"]
        if let text {
            guard let count = Int(text), (1...Paging.maximumCount).contains(count) else {
                throw APIError(
                    .badRequest, field: "pagination[count]",
                    "'pagination[count]' must be a whole number from 1 to \(Paging.maximumCount).")
            }
            self.count = count
        } else {
            count = Paging.defaultCount
        }
        cursor = query["pagination[cursor]"] ?? query["pagination.cursor"] ?? query["cursor"]
    }

    static let invalidCursor = APIError(
        .badRequest, field: "pagination[cursor]",
        "'pagination[cursor]' is not one that this list gave: leave it out to begin with the first page.")

    /// A cursor that is a number.
    func number() throws(APIError) -> Int64? {
        guard let cursor else { return nil }
        guard let number = Int64(cursor), number >= 0 else { throw Paging.invalidCursor }
        return number
    }

    /// The member `pagination` of an answer.
    func json(next: String?, total: Int? = nil) -> JSONValue {
        var object: JSONObject = ["current": .string(cursor ?? "0")]
        if let next { object["next"] = .string(next) }
        if let total { object["totalEntries"] = .number(total) }
        return .object(object)
    }

    /// One page of a list that is whole in memory; the cursor is a position.
    func page<Element>(of elements: [Element]) throws(APIError) -> (
        elements: ArraySlice<Element>, pagination: JSONValue
    ) {
        let start = min(Int(try number() ?? 0), elements.count)
        let end = min(start + count, elements.count)
        let next = end < elements.count ? String(end) : nil
        return (elements[start..<end], json(next: next, total: elements.count))
    }
}
