import JSON

enum Join: String, Sendable { case and = "AND", or = "OR" }

/// Filters that are all joined by AND, or all by OR.
struct FilterGroup: Sendable, Hashable {
    var join: Join
    var filters: [Filter]

    var json: JSONValue { ["join": .string(join.rawValue), "filters": .array(filters.map(\.json))] }
}

/// Whom a segment, campaign or Canvas is for (spec braze §5.1):
/// `apps and join(groups) and not any(exclusions)`.
struct AudienceDefinition: Sendable, Hashable {
    enum Apps: Sendable, Hashable {
        case all
        case none
        case some([String])

        var json: JSONValue {
            switch self {
            case .all: "all"
            case .none: "none"
            case .some(let ids): .array(ids.map { .string($0) })
            }
        }
    }

    var apps = Apps.all
    var join = Join.and
    var groups: [FilterGroup] = []
    var exclusions: [FilterGroup] = []

    var filters: [Filter] { (groups + exclusions).flatMap(\.filters) }

    /// Ids of segments that Segment Membership filters name.
    var segmentIDs: [String] {
        filters.compactMap { if case .segment(let id, _) = $0 { id } else { nil } }
    }

    var json: JSONObject {
        [
            "apps": apps.json, "join": .string(join.rawValue), "groups": .array(groups.map(\.json)),
            "exclude": .array(exclusions.map(\.json)),
        ]
    }
}

struct Segment: Sendable {
    let id: String
    var name: String
    var description: String
    var tags: [String]
    var teams: [String]
    var definition: AudienceDefinition
    let createdAt: EpochMilliseconds
    var updatedAt: EpochMilliseconds
    var isArchived = false
    /// Size by day since the epoch, as last seen on that day: the last 100 days.
    var sizes: [(day: Int, size: Int)] = []

    static let keptSizes = 100

    mutating func record(size: Int, day: Int) {
        sizes.removeAll { $0.day == day }
        sizes.append((day, size))
        if sizes.count > Segment.keptSizes { sizes.removeFirst(sizes.count - Segment.keptSizes) }
    }

    /// What the journal and the pages' API carry.
    var json: JSONObject {
        var object: JSONObject = [
            "id": .string(id), "name": .string(name), "description": .string(description),
            "tags": .array(tags.map { .string($0) }), "teams": .array(teams.map { .string($0) }),
            "created_at": .number(Int(createdAt)), "updated_at": .number(Int(updatedAt)), "archived": .bool(isArchived),
        ]
        for (key, value) in definition.json.members { object[key] = value }
        return object
    }
}
