import JSON

extension AudienceDefinition {
    static let groupsPerDefinition = 50
    static let filtersPerGroup = 100

    /// Reads and checks a definition.
    ///
    /// - Parameter needsFilter: a segment needs one; a campaign that names segments does not.
    init(
        _ json: JSONObject, in workspace: Workspace, needsFilter: Bool = true, checksNames: Bool = true
    ) throws(DefinitionError) {
        switch json["apps"] {
        case nil, .null?, "all"?: apps = .all
        case "none"?: apps = .none
        case .array(let ids)?:
            let names = ids.compactMap(\.string)
            guard !names.isEmpty else { throw DefinitionError("Choose at least one app, or all apps.") }
            apps = .some(names)
        default: throw DefinitionError("apps must be \"all\", \"none\" or a list of app ids.")
        }
        join = try AudienceDefinition.join(json["join"])
        let reader = FilterReader(workspace: workspace, checksNames: checksNames)
        groups = try AudienceDefinition.groups(json["groups"], reader)
        exclusions = try AudienceDefinition.groups(json["exclude"], reader)
        guard !needsFilter || !filters.isEmpty else { throw DefinitionError("Add at least one filter.") }
    }

    private static func join(_ value: JSONValue?) throws(DefinitionError) -> Join {
        guard let value, !value.isNull else { return .and }
        guard let join = value.string.flatMap({ Join(rawValue: $0.uppercased()) }) else {
            throw DefinitionError("join must be AND or OR.")
        }
        return join
    }

    private static func groups(_ value: JSONValue?, _ reader: FilterReader) throws(DefinitionError) -> [FilterGroup] {
        guard let value, !value.isNull else { return [] }
        guard let elements = value.array, elements.count <= groupsPerDefinition else {
            throw DefinitionError("Use a list of at most \(groupsPerDefinition) filter groups.")
        }
        var groups: [FilterGroup] = []
        for element in elements {
            guard let filters = element["filters"]?.array, filters.count <= filtersPerGroup else {
                throw DefinitionError("A filter group needs a list of at most \(filtersPerGroup) filters.")
            }
            // A group whose filters were all taken away in the builder says nothing.
            if filters.isEmpty { continue }
            var read: [Filter] = []
            for filter in filters { read.append(try reader.read(filter)) }
            groups.append(FilterGroup(join: try join(element["join"]), filters: read))
        }
        return groups
    }

    /// Segment Membership: the named segment exists, is not archived and has no such filter itself (§5.1, depth 1).
    func checkMembership(in workspace: Workspace, ownID: String?) throws(DefinitionError) {
        for id in segmentIDs {
            guard id != ownID else { throw DefinitionError("A segment cannot contain itself.") }
            guard let segment = workspace.segment(id), !segment.isArchived else {
                throw DefinitionError("There is no active segment with the id \(id).")
            }
            guard segment.definition.segmentIDs.isEmpty else {
                throw DefinitionError(
                    "\"\(segment.name)\" has a Segment Membership filter itself and so cannot be used in another segment."
                )
            }
        }
        guard let ownID, !segmentIDs.isEmpty else { return }
        if let user = workspace.segments.first(where: { !$0.isArchived && $0.definition.segmentIDs.contains(ownID) }) {
            throw DefinitionError(
                "This segment is used inside \"\(user.name)\", so it cannot have a Segment Membership filter itself.")
        }
    }

    /// Things that are allowed and probably not meant (§5.1).
    var warnings: [String] {
        var warnings: [String] = []
        func check(_ filters: [Filter]) {
            var seen: Set<String> = []
            var told: Set<String> = []
            for case .attribute(let filter) in filters where filter.comparison.isNegative {
                let name = filter.name + (filter.path.map { "." + $0 } ?? "")
                if !seen.insert(name).inserted, told.insert(name).inserted {
                    warnings.append(
                        "Two negative filters on \(name) are joined by OR: together they match everyone. Use AND, or one filter with several values."
                    )
                }
            }
        }
        for group in groups where group.join == .or { check(group.filters) }
        if join == .or { check(groups.filter { $0.filters.count == 1 }.flatMap(\.filters)) }
        for case .eventCount(let name, let comparison, _) in filters
        where comparison == .moreThan && name == "Audience Entered" {
            warnings.append(
                "Event counts never go down: \"Audience Entered\" still matches people who have left. Filter on the audience's attribute for current membership."
            )
        }
        return warnings
    }
}
