public import JSON
public import Model

// The same with a body that was already made a tree.
extension History {
    public func insertEvent(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard let document = try? JSONDocument(parsing: body.utf8) else { return unreadable(call) }
        return insertEvent(call, body: document.root, offset: offset, profile: profile)
    }

    public func insertTraits(_ call: Call, body: JSONValue, offset: Int64, profile: ProfileOrdinal) -> HistoryChange {
        guard let document = try? JSONDocument(parsing: body.utf8) else { return unreadable(call) }
        return insertTraits(call, body: document.root, offset: offset, profile: profile)
    }

    private func unreadable(_ call: Call) -> HistoryChange {
        unreadable += 1
        return HistoryChange(outcome: .unreadable, placedAt: call.timestamp)
    }
}
