import JSON

/// What is needed to decide who is in a segment: a copy of a workspace's data at an instant, made under the lock and
/// evaluated outside of it.
struct Audience: Sendable {
    let profiles: ProfileTable
    let attributes: Registry<AttributeEntry>
    let events: Registry<EventEntry>
    let segments: [Segment]
    let timeZone: String
    let now: EpochMilliseconds
    let lessThanIncludesMissing: Bool
    /// Of the sandbox's state when the copy was made.
    let revision: Int

    /// All who match, by ordinal, up to `limit` listed; the count is exact.
    struct Result: Sendable {
        var count = 0
        var listed: [Int] = []
        /// Reachable by channel (spec braze §5.5).
        var withEmail = 0
        var withPush = 0
    }

    /// Finds the members of the intersection of definitions.
    func members(
        of definitions: [AudienceDefinition], offset: Int = 0, limit: Int = 50
    ) throws(DefinitionError) -> Result {
        var compiled: [CompiledAudience] = []
        for definition in definitions { compiled.append(try CompiledAudience(definition, in: self)) }
        var result = Result()
        profiles.forEach { profile in
            for audience in compiled where !audience.contains(profile) { return true }
            if result.count >= offset, result.listed.count < limit { result.listed.append(profile.ordinal) }
            result.count += 1
            if CompiledFilter.isEmailAvailable(profile) { result.withEmail += 1 }
            if !profile.pushTokens.isEmpty { result.withPush += 1 }
            return true
        }
        for audience in compiled { try audience.checkSpeed() }
        return result
    }

    func contains(_ profile: Profile, in definition: AudienceDefinition) throws(DefinitionError) -> Bool {
        let compiled = try CompiledAudience(definition, in: self)
        let isMember = compiled.contains(profile)
        try compiled.checkSpeed()
        return isMember
    }
}

extension SandboxState {
    func audience(_ workspace: Workspace) -> Audience {
        Audience(
            profiles: workspace.profiles, attributes: workspace.attributes, events: workspace.events,
            segments: workspace.segments, timeZone: workspace.timeZone, now: now,
            lessThanIncludesMissing: switches.lessThanIncludesMissing, revision: revision)
    }
}

/// A definition with names resolved and patterns compiled, for one pass over profiles.
final class CompiledAudience {
    struct Group {
        let join: Join
        let filters: [CompiledFilter]

        func contains(_ profile: Profile) -> Bool {
            join == .and
                ? filters.allSatisfy { $0.contains(profile) } : filters.contains { $0.contains(profile) }
        }
    }

    let definition: AudienceDefinition
    private let join: Join
    private let groups: [Group]
    private let exclusions: [Group]

    init(_ definition: AudienceDefinition, in audience: Audience) throws(DefinitionError) {
        self.definition = definition
        join = definition.join
        func compile(_ groups: [FilterGroup]) throws(DefinitionError) -> [Group] {
            var compiled: [Group] = []
            for group in groups {
                var filters: [CompiledFilter] = []
                for filter in group.filters { filters.append(try CompiledFilter(filter, in: audience)) }
                compiled.append(Group(join: group.join, filters: filters))
            }
            return compiled
        }
        groups = try compile(definition.groups)
        exclusions = try compile(definition.exclusions)
    }

    func contains(_ profile: Profile) -> Bool {
        isInApps(profile) && isIncluded(profile) && !exclusions.contains { $0.contains(profile) }
    }

    private func isInApps(_ profile: Profile) -> Bool {
        switch definition.apps {
        case .all: true
        case .none: profile.apps.isEmpty
        case .some(let ids): profile.apps.contains { ids.contains($0) }
        }
    }

    private func isIncluded(_ profile: Profile) -> Bool {
        groups.isEmpty
            || (join == .and ? groups.allSatisfy { $0.contains(profile) } : groups.contains { $0.contains(profile) })
    }

    /// A pattern that ran out of time made the result meaningless.
    func checkSpeed() throws(DefinitionError) {
        for filter in (groups + exclusions).flatMap(\.filters) {
            if let pattern = filter.slowPattern {
                throw DefinitionError(
                    "The pattern \(pattern.prefix(80)) takes too long on some values. Avoid nested repetition such as (a+)+."
                )
            }
        }
    }

    /// The criteria that keep a profile out; empty for a member (§5.5, test a user).
    func unmet(_ profile: Profile, describe: (Filter) -> String) -> [String] {
        var unmet: [String] = []
        switch definition.apps {
        case .all: break
        case .none:
            if !profile.apps.isEmpty { unmet.append("has used an app, but the segment is for users from no apps") }
        case .some(let ids):
            if !isInApps(profile) { unmet.append("has not used any of the apps \(ids.joined(separator: ", "))") }
        }
        if !isIncluded(profile) {
            var failures: [String] = []
            for (compiled, group) in zip(groups, definition.groups) where !compiled.contains(profile) {
                if group.join == .and {
                    for (filter, source) in zip(compiled.filters, group.filters) where !filter.contains(profile) {
                        failures.append(describe(source))
                    }
                } else {
                    failures.append(group.filters.map(describe).joined(separator: " or "))
                }
            }
            unmet += definition.join == .and ? failures : [failures.joined(separator: "; nor: ")]
        }
        for (compiled, group) in zip(exclusions, definition.exclusions) where compiled.contains(profile) {
            let text = group.filters.map(describe).joined(separator: group.join == .and ? " and " : " or ")
            unmet.append("is excluded by: \(text)")
        }
        return unmet
    }
}
