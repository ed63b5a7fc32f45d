import Model

/// How far something that is done for everybody has come, in chunks and in the order of the ordinals, with those who were
/// done out of turn because something was about to change them. So its outcome does not depend on how the chunks fall.
struct ProfileSweep: Equatable {
    /// The next profile; all before it are done.
    private(set) var next: UInt32
    /// The first profile that did not exist when it began.
    let end: UInt32
    /// Profiles from `next` on that were done out of turn.
    private(set) var early: Set<UInt32>

    init(next: UInt32 = 0, end: UInt32, early: Set<UInt32> = []) {
        self.next = next
        self.end = end
        self.early = early
    }

    var isFinished: Bool { next >= end }

    /// Steps over one profile; gives it back unless it was done before. Must not be finished.
    mutating func step() -> ProfileOrdinal? {
        let wasEarly = early.remove(next) != nil
        defer { next += 1 }
        return wasEarly ? nil : ProfileOrdinal(next)
    }

    /// Takes a profile out of turn; false where its turn is over, or where it is not among them.
    mutating func takeEarly(_ profile: ProfileOrdinal) -> Bool {
        guard profile.rawValue >= next, profile.rawValue < end else { return false }
        return early.insert(profile.rawValue).inserted
    }
}
