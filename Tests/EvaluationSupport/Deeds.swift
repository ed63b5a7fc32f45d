// What tests of evaluation and scans share: random worlds, random definitions, and the words they are told in.

package import Evaluation
package import JSON
package import Model

/// A call with the profile it belongs to.
package struct Deed {
    package var call: Call
    package var body: JSONValue
    package var profile: ProfileOrdinal

    package init(call: Call, body: JSONValue, profile: ProfileOrdinal) {
        self.call = call
        self.body = body
        self.profile = profile
    }

    /// Where the call stands in time (spec: engage §4.7).
    package var at: Instant { call.timestamp - call.receivedAt > .hours(24) ? call.receivedAt : call.timestamp }
}

/// A profile as tests describe it.
package struct Person {
    package var ordinals: [ProfileOrdinal]
    package var computed: [String: ComputedValue] = [:]

    package init(ordinals: [ProfileOrdinal], computed: [String: ComputedValue] = [:]) {
        self.ordinals = ordinals
        self.computed = computed
    }
}

/// Whom a test asks about.
package enum Asked {
    case user(Person)
    case account(Person, users: [Person])

    package var subject: Subject {
        func view(_ person: Person) -> ProfileView {
            ProfileView(person.ordinals) { key, _ in person.computed[key] ?? .notComputed }
        }
        switch self {
        case .user(let person): return .user(view(person))
        case .account(let account, let users): return .account(view(account), users: users.map(view))
        }
    }
}
