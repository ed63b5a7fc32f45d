import History
import JSON
import Model

/// Whose events and traits an expression reads: the subject's, or one user's inside of `ANY` and `ALL`. Remembers what
/// was looked up, for the time of one evaluation.
final class Scope {
    let profile: ProfileView
    /// The ordinals whose events count: for an account those of all its users.
    let eventOrdinals: [ProfileOrdinal]
    private let userViews: [ProfileView]?
    private let plan: QueryPlan
    private var sequences: [RowSequence?]
    var traits: [(values: Operands, changesAt: Int64)?]

    convenience init(_ subject: Subject, _ plan: QueryPlan) {
        switch subject {
        case .user(let profile): self.init(profile, events: profile.ordinals, users: nil, plan)
        case .account(let profile, let users):
            // A user who stands in the list twice did things once.
            self.init(profile, events: Set(users.flatMap(\.ordinals)).sorted(), users: users, plan)
        }
    }

    private init(_ profile: ProfileView, events: [ProfileOrdinal], users: [ProfileView]?, _ plan: QueryPlan) {
        self.profile = profile
        self.eventOrdinals = events
        self.userViews = users
        self.plan = plan
        sequences = Array(repeating: nil, count: plan.streamCount)
        traits = Array(repeating: nil, count: plan.traitCount)
    }

    /// Whom `ANY` and `ALL` ask: an account's users; a user is asked about themselves.
    lazy var users: [Scope] = {
        guard let userViews else { return [self] }
        return userViews.map { Scope($0, events: $0.ordinals, users: nil, plan) }
    }()

    func rows(_ stream: StreamPlan, in history: History) -> RowSequence {
        if let known = sequences[stream.slot] { return known }
        let rows = history.rows(stream.event, of: eventOrdinals)
        sequences[stream.slot] = rows
        return rows
    }
}
