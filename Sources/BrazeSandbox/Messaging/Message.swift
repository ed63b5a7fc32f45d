import JSON

/// A campaign or a Canvas, as far as the sandbox goes: whom it targets (spec braze §5.7).
struct Message: Sendable {
    enum Kind: String, Sendable { case campaign, canvas }

    let kind: Kind
    let id: String
    var name: String
    /// All of them must match.
    var segmentIDs: [String]
    /// Further filters.
    var filters: AudienceDefinition
    let createdAt: EpochMilliseconds
    var updatedAt: EpochMilliseconds
    var isArchived = false

    var json: JSONObject {
        var object: JSONObject = [
            "id": .string(id), "name": .string(name), "segments": .array(segmentIDs.map { .string($0) }),
            "created_at": .number(Int(createdAt)), "updated_at": .number(Int(updatedAt)), "archived": .bool(isArchived),
        ]
        object["filters"] = .object(filters.json)
        return object
    }
}
