import History
import JSON
import Model

/// Whose events and traits an expression reads: the subject's, or one user's inside of `ANY` and `ALL`. Remembers what
/// was looked up, for the time of one evaluation.
final class Scope {
    private(set) var profile: ProfileView
    /// The ordinals whose events count: for an account those of all its users.
    private(set) var eventOrdinals: [ProfileOrdinal]
    private var userViews: [ProfileView]?
    private let plan: QueryPlan
    private var sequences: [RowSequence?]
    var traits: [(values: Operands, changesAt: Int64)?]

    convenience init(_ subject: Subject, _ plan: QueryPlan) {
        self.init(ProfileView([]), events: [], users: nil, plan)
        renew(subject)
    }

    private init(_ profile: ProfileView, events: [ProfileOrdinal], users: [ProfileView]?, _ plan: QueryPlan) {
        self.profile = profile
        self.eventOrdinals = events
        self.userViews = users
        self.plan = plan
        sequences = Array(repeating: nil, count: plan.streamCount)
        traits = Array(repeating: nil, count: plan.traitCount)
    }

    /// Makes it one of another subject, with nothing looked up, for the same plan. Memory that is there serves again.
    func renew(_ subject: Subject) {
        switch subject {
        case .user(let profile):
            self.profile = profile
            eventOrdinals = profile.ordinals
            userViews = nil
        case .account(let profile, let users):
            self.profile = profile
            // A user who stands in the list twice did things once.
            eventOrdinals = Set(users.flatMap(\.ordinals)).sorted()
            userViews = users
        }
    }

    /// Forgets the subject and what was looked up.
    func clear() {
        profile = ProfileView([])
        eventOrdinals = []
        userViews = nil
        userScopes = nil
        for slot in sequences.indices { sequences[slot] = nil }
        for slot in traits.indices { traits[slot] = nil }
    }

    private var userScopes: [Scope]?

    /// Whom `ANY` and `ALL` ask: an account's users; a user is asked about themselves.
    var users: [Scope] {
        guard let userViews else { return [self] }
        if let userScopes { return userScopes }
        let made = userViews.map { Scope($0, events: $0.ordinals, users: nil, plan) }
        userScopes = made
        return made
    }

    func rows(_ stream: StreamPlan, in history: History) -> RowSequence {
        if let known = sequences[stream.slot] { return known }
        let rows = history.rows(stream.event, of: eventOrdinals)
        sequences[stream.slot] = rows
        return rows
    }
}
