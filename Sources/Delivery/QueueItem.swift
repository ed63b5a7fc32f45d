import JSON
import Model

/// What names an emission in outcomes and records; its payload is not kept once it is mapped. One reference, for it is
/// handed on a dozen times until its fate is written down.
final class EmissionReference: Sendable {
    let sequence: Int64
    let messageID: String
    let profile: ProfileOrdinal
    let computationID: String
    let kind: Emission.Kind
    let timestamp: Instant
    let origin: Emission.Origin

    /// `nil` for an emission that is not from the outbox.
    init?(_ emission: Emission) {
        guard let sequence = emission.sequence else { return nil }
        self.sequence = sequence
        messageID = emission.messageID
        profile = emission.profile
        computationID = emission.computationID
        kind = emission.kind
        timestamp = emission.timestamp
        origin = emission.origin
    }

    /// Emissions of one transition travel in one request: the attribute and the event that tell of the same change.
    func isSameTransition(as other: EmissionReference) -> Bool {
        timestamp == other.timestamp && computationID == other.computationID && profile == other.profile
    }
}

/// One emission that waits or is under way.
struct QueueItem: Sendable {
    enum Content: Sendable {
        case update(AttributeUpdate)
        case occurrence(Occurrence)
    }

    let emission: EmissionReference
    var content: Content
    /// Answers that looked like a success and took nothing.
    var emptyAnswers: Int = 0
    /// Requests in which it failed for a passing reason.
    var failures: Int = 0
    /// Its request may hold at most so many objects: halved while an unnamed bad object is looked for.
    var objectLimit = Int.max
    /// Shares its object with no other emission, because the shared one was rejected.
    var isAlone = false
    /// Was in a request that was sent again without the objects that the destination had named.
    var isResubmitted = false
    var isOccurrence: Bool {
        if case .occurrence = content { true } else { false }
    }

    /// The array that its first object stands in.
    var array: String {
        switch content {
        case .update(let update): update.array
        case .occurrence(let occurrence): occurrence.objects.first?.array ?? ""
        }
    }

    /// Persons of whom everything earlier must have arrived first.
    var follows: [String] {
        if case .occurrence(let occurrence) = content { occurrence.follows } else { [] }
    }

    /// Persons who are one with its own when it is delivered.
    var joins: [String] {
        if case .occurrence(let occurrence) = content { occurrence.joins } else { [] }
    }

    /// What was left out and why.
    var note: String? {
        switch content {
        case .update(let update): update.note
        case .occurrence(let occurrence): occurrence.note
        }
    }

    init(emission: EmissionReference, content: Content) {
        self.emission = emission
        self.content = content
    }
}

/// What is known of one value at the destination.
struct Known: Sendable, Hashable {
    /// The value last acknowledged; `nil` when it may have changed without an acknowledgement: then whatever is to be
    /// said about it must be sent.
    var value: JSONValue?
    /// The emission that brought it. An older one, redriven after it was parked, must not undo it.
    var sequence: Int64
}

/// One object of a request with what it stands for.
struct PlannedObject: Sendable {
    var person: String
    var outgoing: OutgoingObject
    /// The place in the request's items of the first that it stands for.
    var firstItem: Int
    /// Those of the others, where updates share an object.
    var laterItems: [Int] = []
    /// What the destination will hold when it takes the object.
    var values: JSONObject
    /// The emission that the values are from, but for those that others have put into the object since.
    var sequence: Int64 = 0
    var laterSequences: [String: Int64] = [:]
    /// Names whose values are unknown afterwards.
    var touchedNames: Set<String>
    /// Other persons of whom they are unknown, too.
    var touchedOthers: [String] = []

    var items: [Int] { [firstItem] + laterItems }
    var isShared: Bool { !laterItems.isEmpty }

    /// The emission that a value is from.
    func sequence(of name: String) -> Int64 {
        laterSequences.isEmpty ? sequence : laterSequences[name] ?? sequence
    }
}

/// A request that the queue wants to be made.
struct PlannedRequest: Sendable {
    var id: Int
    var sentAt: Instant
    var items: [QueueItem]
    var objects: [PlannedObject]
    var bytes: Int
    /// Profiles that were deleted while it was under way: their emissions do not come back.
    var deletedProfiles: Set<ProfileOrdinal> = []

    var outgoing: [OutgoingObject] { objects.map(\.outgoing) }

    /// Whom one of its items is about.
    func person(of item: Int) -> String {
        objects.first { $0.firstItem == item || $0.laterItems.contains(item) }?.person ?? ""
    }

    var persons: Set<String> { Set(objects.map(\.person)) }
}
