import Identity
import Model
import Scan

/// Whom definitions with the same level and the same kinds of id are about, one bit per profile, kept up with what changes.
///
/// Asking every profile for its ids takes longer than a whole selective scan; most profiles have not changed since the last one.
struct PeopleIndex {
    private struct Key: Hashable {
        var collection: Identifier.Collection
        var types: Set<String>?
    }

    private struct Words {
        var single: [UInt64] = []
        var merged: [UInt64] = []
    }

    private var indexes: [Key: Words] = [:]
    /// Numbers of words that are to be looked at again, in all indexes.
    private var stale: Set<Int> = []

    /// Kinds of question that are kept.
    private static let capacity = 8

    /// Something changed about who this number is or which ids it has.
    mutating func note(_ profile: ProfileOrdinal) {
        if !indexes.isEmpty { stale.insert(Int(profile.rawValue >> 6)) }
    }

    /// Those with one number, and those that others were merged into, who have an id of any of the types.
    mutating func people(
        _ collection: Identifier.Collection, having types: Set<String>?, in identity: IdentityResolver
    ) -> (single: ProfileSet, merged: ProfileSet) {
        for (key, var words) in indexes {
            // Taken out meanwhile, so that nothing is copied.
            indexes[key] = nil
            for index in stale where index < words.single.count {
                (words.single[index], words.merged[index]) = identity.people(
                    index, in: key.collection, having: key.types)
            }
            indexes[key] = words
        }
        stale.removeAll()
        let key = Key(collection: collection, types: types)
        if indexes[key] == nil, indexes.count >= PeopleIndex.capacity { indexes.removeAll() }
        var words = indexes.removeValue(forKey: key) ?? Words()
        let count = (Int(identity.counters.nextOrdinal) + 63) / 64
        // The last word may have been half empty when it was made.
        if !words.single.isEmpty, words.single.count < count {
            words.single.removeLast()
            words.merged.removeLast()
        }
        while words.single.count < count {
            let (single, merged) = identity.people(words.single.count, in: collection, having: types)
            words.single.append(single)
            words.merged.append(merged)
        }
        indexes[key] = words
        return (ProfileSet(words: words.single), ProfileSet(words: words.merged))
    }
}
