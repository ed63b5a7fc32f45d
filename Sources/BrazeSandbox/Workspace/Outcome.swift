import JSON

/// What an object of a call did, for the request log and the profile page.
struct Outcome: Sendable {
    enum Effect: String, Sendable {
        /// Accepted, not applied yet.
        case waiting
        case created, updated
        /// Accepted without an effect, for example an unknown alias.
        case nothing = "no effect"
        case refused
    }

    let array: String
    let index: Int
    /// Whom it is about, as sent.
    var identity: String?
    var ordinal: Int?
    var effect: Effect
    var notes: [String] = []
    var dataPoints = 0
}
