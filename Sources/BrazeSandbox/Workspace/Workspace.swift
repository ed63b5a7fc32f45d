import JSON

/// A Braze workspace: its users, what their data is called, segments, campaigns and Canvases.
///
/// A value that changes only through `apply` with an instant that is given: the same operations in the same order make
/// the same workspace, ids included, which is how the journal restores it.
struct Workspace: Sendable {
    let id: String
    var name: String
    /// Distinguishes the ids of workspaces.
    let salt: UInt64
    /// IANA name; filters on dates use it (spec braze §5.2).
    var timeZone = "UTC"

    var profiles = ProfileTable()
    var attributes = Registry<AttributeEntry>()
    var events = Registry<EventEntry>()
    var products = Registry<ProductEntry>()

    var segments: [Segment] = []
    var messages: [Message] = []
    var cohorts: [Cohort] = []
    /// Dry runs, oldest first.
    var sends: [Send] = []

    /// Writes so far: every change of a profile gets the next number.
    private(set) var touches = 0
    /// Data points consumed (§7.1).
    var dataPoints = 0

    // Where to find a profile. Rebuilt from the profiles when a snapshot is read.
    private(set) var byExternalID: [String: Int] = [:]
    private(set) var byDeprecatedID: [String: Int] = [:]
    private(set) var byAlias: [Alias: Int] = [:]
    private(set) var byEmail: [String: [Int]] = [:]
    private(set) var byPhone: [String: [Int]] = [:]
    /// External ids for which nothing is taken any more (§2.5).
    var blockedIDs: Set<String> = []

    /// Ordinals that a snapshot says were given out.
    var pendingOrdinal = 0

    init(id: String, name: String, salt: UInt64) {
        self.id = id
        self.name = name
        self.salt = salt
    }

    // MARK: Finding

    func profile(_ ordinal: Int) -> Profile? { profiles[ordinal] }

    func ordinal(externalID: String) -> Int? { byExternalID[externalID] ?? byDeprecatedID[externalID] }

    func ordinal(brazeID: String) -> Int? {
        guard brazeID.utf8.count == 24, let ordinal = Int(brazeID.suffix(8), radix: 16),
            profiles[ordinal]?.brazeID == brazeID.lowercased()
        else { return nil }
        return ordinal
    }

    /// The profile an identity names today (§2.1); never creates one.
    func resolve(_ identity: Identity) -> Int? {
        switch identity {
        case .externalID(let id): ordinal(externalID: id)
        case .alias(let alias): byAlias[alias]
        case .brazeID(let id): ordinal(brazeID: id)
        case .email(let address): preferred(byEmail[address] ?? [])
        case .phone(let number): preferred(byPhone[number] ?? [])
        }
    }

    /// Of several with one address: those with an external id first, then the most recently updated.
    private func preferred(_ candidates: [Int]) -> Int? {
        candidates.compactMap { profiles[$0] }.max { left, right in
            (left.externalID != nil ? 1 : 0, left.updatedAt, left.touch)
                < (right.externalID != nil ? 1 : 0, right.updatedAt, right.touch)
        }?.ordinal
    }

    /// A copy to read from outside the lock. Without the indexes, which a write meanwhile would have to copy whole.
    var light: Workspace {
        var copy = self
        copy.byExternalID = [:]
        copy.byDeprecatedID = [:]
        copy.byAlias = [:]
        copy.byEmail = [:]
        copy.byPhone = [:]
        return copy
    }

    // MARK: Changing

    /// The profile an object addresses, created where the rules of §2.1 say so; `nil` means that nothing happens.
    mutating func resolveOrCreate(_ identity: Identity, updateExistingOnly: Bool?, at now: EpochMilliseconds) -> Int? {
        if let ordinal = resolve(identity) { return ordinal }
        switch identity {
        case .externalID, .email, .phone: if updateExistingOnly == true { return nil }
        case .alias: if updateExistingOnly != false { return nil }
        case .brazeID: return nil
        }
        let ordinal = create(at: now)
        switch identity {
        case .externalID(let id): setExternalID(id, on: ordinal)
        case .alias(let alias): addAlias(alias, to: ordinal)
        case .email(let address): setEmail(address, on: ordinal)
        case .phone(let number): setPhone(number, on: ordinal)
        case .brazeID: break
        }
        return ordinal
    }

    mutating func create(at now: EpochMilliseconds) -> Int {
        touches += 1
        let ordinal = profiles.nextOrdinal
        profiles.append(Profile(ordinal: ordinal, createdAt: now, salt: salt, touch: touches))
        return ordinal
    }

    /// Changes a profile other than its identifiers, and notes when.
    mutating func update(_ ordinal: Int, at now: EpochMilliseconds, _ change: (inout Profile) -> Void) {
        touches += 1
        let touch = touches
        profiles.update(ordinal) { profile in
            change(&profile)
            profile.updatedAt = now
            profile.touch = touch
        }
    }

    mutating func setExternalID(_ id: String?, on ordinal: Int) {
        if let old = profiles[ordinal]?.externalID { byExternalID[old] = nil }
        if let id { byExternalID[id] = ordinal }
        profiles.update(ordinal) { $0.externalID = id }
    }

    mutating func addDeprecatedID(_ id: String, to ordinal: Int) {
        byDeprecatedID[id] = ordinal
        profiles.update(ordinal) { $0.deprecatedIDs.append(id) }
    }

    mutating func removeDeprecatedID(_ id: String) -> Bool {
        guard let ordinal = byDeprecatedID.removeValue(forKey: id) else { return false }
        profiles.update(ordinal) { profile in profile.deprecatedIDs.removeAll { $0 == id } }
        return true
    }

    /// Gives a profile an alias; false where the pair or the label is taken (§3.1).
    @discardableResult
    mutating func addAlias(_ alias: Alias, to ordinal: Int) -> Bool {
        guard byAlias[alias] == nil, let profile = profiles[ordinal],
            !profile.aliases.contains(where: { $0.label == alias.label })
        else { return false }
        byAlias[alias] = ordinal
        profiles.update(ordinal) { $0.aliases.append(alias) }
        return true
    }

    mutating func removeAlias(_ alias: Alias) {
        guard let ordinal = byAlias.removeValue(forKey: alias) else { return }
        profiles.update(ordinal) { profile in profile.aliases.removeAll { $0 == alias } }
    }

    mutating func setEmail(_ address: String?, on ordinal: Int) {
        if let old = profiles[ordinal]?.email { Workspace.drop(ordinal, from: &byEmail, key: old) }
        if let address { byEmail[address, default: []].append(ordinal) }
        profiles.update(ordinal) { $0.email = address }
    }

    mutating func setPhone(_ number: String?, on ordinal: Int) {
        if let old = profiles[ordinal]?.phone { Workspace.drop(ordinal, from: &byPhone, key: old) }
        if let number { byPhone[number, default: []].append(ordinal) }
        profiles.update(ordinal) { $0.phone = number }
    }

    private static func drop(_ ordinal: Int, from index: inout [String: [Int]], key: String) {
        index[key]?.removeAll { $0 == ordinal }
        if index[key]?.isEmpty == true { index[key] = nil }
    }

    /// Takes a profile out of every index and forgets it.
    mutating func delete(_ ordinal: Int) {
        guard let profile = profiles[ordinal] else { return }
        touches += 1
        if let id = profile.externalID { byExternalID[id] = nil }
        for id in profile.deprecatedIDs { byDeprecatedID[id] = nil }
        for alias in profile.aliases { byAlias[alias] = nil }
        setEmail(nil, on: ordinal)
        setPhone(nil, on: ordinal)
        profiles.remove(ordinal)
    }

    /// Adds a profile as a snapshot holds it, with its places in the indexes.
    mutating func restore(_ profile: Profile) {
        profiles.append(profile)
        touches = max(touches, profile.touch)
        if let id = profile.externalID { byExternalID[id] = profile.ordinal }
        for id in profile.deprecatedIDs { byDeprecatedID[id] = profile.ordinal }
        for alias in profile.aliases { byAlias[alias] = profile.ordinal }
        if let address = profile.email { byEmail[address, default: []].append(profile.ordinal) }
        if let number = profile.phone { byPhone[number, default: []].append(profile.ordinal) }
    }

    /// Continues the count of writes after a snapshot.
    mutating func restoreTouches(_ count: Int) { touches = max(touches, count) }
}
