import JSON

/// One user of a workspace (spec braze §4.1).
struct Profile: Sendable {
    let ordinal: Int
    let createdAt: EpochMilliseconds
    /// 24 hexadecimal digits; the last eight are the ordinal, so that no index is needed to find it.
    let salt: UInt64
    var updatedAt: EpochMilliseconds
    /// Number of the workspace's write that touched the profile last: orders equal ``updatedAt``.
    var touch: Int
    var externalID: String?
    var deprecatedIDs: [String] = []
    var aliases: [Alias] = []
    var email: String?
    var phone: String?
    /// Reserved profile fields other than email and phone, by ``StandardField`` number.
    var fields = NameMap<JSONValue>()
    var attributes = NameMap<AttributeValue>()
    var events = NameMap<Occurrences>()
    var purchases = NameMap<PurchaseSummary>()
    /// In hundredths, so that sums do not drift.
    var revenueCents: Int64 = 0
    var pushTokens: [JSONValue] = []
    /// Ids of apps that an event or token named.
    var apps: [String] = []
    /// State by subscription group id.
    var subscriptions: [String: String] = [:]
    /// Keys of cohorts (§6).
    var cohorts: [String] = []

    init(ordinal: Int, createdAt: EpochMilliseconds, salt: UInt64, touch: Int) {
        self.ordinal = ordinal
        self.createdAt = createdAt
        self.salt = salt
        self.updatedAt = createdAt
        self.touch = touch
    }

    var brazeID: String {
        func hex(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits.suffix(width)
        }
        return hex(UInt64(max(0, createdAt / 1000)), 8) + hex(salt & 0xFFFF_FFFF, 8) + hex(UInt64(ordinal), 8)
    }

    /// 0 to 9999, a function of the profile's identity.
    var randomBucket: Int { Int(SplitMix.hash(salt ^ UInt64(ordinal)) % 10_000) }
}

/// A small generator with a seed: ids, buckets, faults and shuffles come from it, never from the system.
struct SplitMix: RandomNumberGenerator, Sendable {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return SplitMix.mix(state)
    }

    static func hash(_ value: UInt64) -> UInt64 { mix(value &+ 0x9E37_79B9_7F4A_7C15) }

    private static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// All profiles of a workspace by ordinal.
///
/// Pages make a copy cheap: whoever scans takes a copy of the table and lets go of the lock, and a write that happens
/// meanwhile copies one page of 64 profiles.
struct ProfileTable: Sendable {
    private static let pageSize = 64
    private var pages: [[Profile?]] = []
    /// Ordinals given out so far; the next profile gets this one.
    private(set) var nextOrdinal = 0
    /// Profiles that exist.
    private(set) var count = 0

    subscript(ordinal: Int) -> Profile? {
        guard ordinal >= 0, ordinal < nextOrdinal else { return nil }
        return pages[ordinal / ProfileTable.pageSize][ordinal % ProfileTable.pageSize]
    }

    /// Changes a profile in place; does nothing where there is none.
    mutating func update(_ ordinal: Int, _ change: (inout Profile) -> Void) {
        guard ordinal >= 0, ordinal < nextOrdinal else { return }
        pages[ordinal / ProfileTable.pageSize][ordinal % ProfileTable.pageSize].modify(change)
    }

    /// Adds a profile whose ordinal is at or after ``nextOrdinal`` (a snapshot has gaps where profiles were deleted).
    mutating func append(_ profile: Profile) {
        precondition(profile.ordinal >= nextOrdinal, "ordinal \(profile.ordinal) is already given out")
        skip(to: profile.ordinal)
        add(profile)
        count += 1
    }

    /// Gives out the ordinals below `ordinal` without profiles.
    mutating func skip(to ordinal: Int) {
        while nextOrdinal < ordinal { add(nil) }
    }

    private mutating func add(_ profile: Profile?) {
        if nextOrdinal % ProfileTable.pageSize == 0 {
            var page: [Profile?] = []
            page.reserveCapacity(ProfileTable.pageSize)
            pages.append(page)
        }
        pages[nextOrdinal / ProfileTable.pageSize].append(profile)
        nextOrdinal += 1
    }

    mutating func remove(_ ordinal: Int) {
        guard self[ordinal] != nil else { return }
        pages[ordinal / ProfileTable.pageSize][ordinal % ProfileTable.pageSize] = nil
        count -= 1
    }

    /// Visits the profiles in ordinal order until `body` returns false.
    func forEach(from first: Int = 0, _ body: (Profile) -> Bool) {
        var ordinal = first
        while ordinal < nextOrdinal {
            let page = pages[ordinal / ProfileTable.pageSize]
            for place in ordinal % ProfileTable.pageSize..<page.count {
                if let profile = page[place], !body(profile) { return }
            }
            ordinal = (ordinal / ProfileTable.pageSize + 1) * ProfileTable.pageSize
        }
    }
}

extension Optional {
    fileprivate mutating func modify(_ change: (inout Wrapped) -> Void) {
        guard var value = self.take() else { return }
        change(&value)
        self = value
    }
}
