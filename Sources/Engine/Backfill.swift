import Model

/// The evaluation of a new or changed computation over everybody who existed when it was accepted.
///
/// It runs in chunks between live batches, and yet its outcome does not depend on how the chunks fall: every profile is
/// evaluated as of `asOf`, and one that is touched by a call or a wake-up before its chunk came is evaluated first
/// (docs/architecture.md). Profiles that come later are evaluated live.
struct BackfillJob: Equatable {
    let computation: ComputationNumber
    /// When the change was accepted; the instant at which every profile is evaluated.
    let asOf: Instant
    /// The next profile to do; all before it are done.
    var next: UInt32
    /// The first profile that did not exist at `asOf`.
    let end: UInt32
    /// Profiles from `next` on that were done early because something touched them.
    var early: Set<UInt32> = []

    var isFinished: Bool { next >= end }

    func isPending(_ profile: ProfileOrdinal) -> Bool {
        profile.rawValue >= next && profile.rawValue < end && !early.contains(profile.rawValue)
    }
}

/// How far a backfill has come, for people.
public struct BackfillProgress: Sendable, Hashable {
    public let computationID: String
    /// Profiles done and profiles to do in all.
    public let done: Int
    public let total: Int
}
