public import Model

// Whom a question about everybody is about, 64 profiles at a time, and which ids they have.

/// Ids counted by type.
public struct IdentifierCounts: Sendable {
    /// By number of the type: profiles that have one, and values.
    private(set) var profiles: [Int] = []
    private(set) var values: [Int] = []
    /// The last profile that was counted for the type.
    private var last: [UInt32] = []

    public init() {}

    mutating func add(_ type: Int, of profile: UInt32) {
        while values.count <= type {
            profiles.append(0)
            values.append(0)
            last.append(.max)
        }
        values[type] += 1
        if last[type] != profile { profiles[type] += 1 }
        last[type] = profile
    }
}

extension IdentityResolver {
    /// Of the 64 profiles from `64 × index` on those of a collection that exist, are canonical and have an id of any of the
    /// types (`nil`: whatever they have): those with one number, and those that others were merged into.
    public func people(
        _ index: Int, in collection: Identifier.Collection, having types: Set<String>?
    ) -> (single: UInt64, merged: UInt64) {
        var single: UInt64 = 0
        var merged: UInt64 = 0
        let numbers = types.map { types in
            self.types.names.indices.filter { types.contains(self.types.names[$0].type) }
        }
        for number in index * 64..<min((index + 1) * 64, profiles.count) {
            let profile = profiles[number]
            guard !profile.isDeleted, profile.canonical == number, profile.collection == collection else { continue }
            if let numbers {
                var has = false
                forEachIdentifier(of: UInt32(number)) { _, mapped in
                    if !has { has = numbers.contains(Int(mapped.type)) }
                }
                guard has else { continue }
            }
            let bit: UInt64 = 1 << UInt64(number % 64)
            if profile.nextMember == number { single |= bit } else { merged |= bit }
        }
        return (single, merged)
    }

    /// Adds the ids of a canonical profile.
    public func count(idsOf profile: ProfileOrdinal, into counts: inout IdentifierCounts) {
        forEachIdentifier(of: profile.rawValue) { _, mapped in counts.add(Int(mapped.type), of: profile.rawValue) }
    }

    /// What was counted, by the names of the types.
    public func named(_ counts: IdentifierCounts) -> [String: (profiles: Int, values: Int)] {
        var named: [String: (profiles: Int, values: Int)] = [:]
        for type in counts.values.indices where counts.values[type] > 0 {
            named[types.names[type].type] = (counts.profiles[type], counts.values[type])
        }
        return named
    }
}
