import Identity
public import Model

// Small questions of tools that list and look for profiles.

extension Engine {
    /// All ordinals are below it.
    public var ordinalLimit: UInt32 { UInt32(clamping: profileCount) }

    /// All ids of a profile in the order of mapping.
    public func identifiers(of profile: ProfileOrdinal) -> [Identifier] { identity.identifiers(of: profile) }

    /// The types of ids that are configured or were seen, in no particular order.
    public func identifierTypes(_ collection: Identifier.Collection) -> [String] {
        identity.settings.rules.filter { $0.collection == collection }.map(\.type)
    }

    /// How many profiles there are among some ordinals, merged-away and deleted ones left out.
    public func countProfiles(in range: Range<UInt32>) -> (users: Int, accounts: Int) {
        var count = (users: 0, accounts: 0)
        for number in range {
            let profile = ProfileOrdinal(number)
            guard identity.exists(profile), identity.isCanonical(profile) else { continue }
            switch identity.collection(of: profile) {
            case .users: count.users += 1
            case .accounts: count.accounts += 1
            }
        }
        return count
    }
}
