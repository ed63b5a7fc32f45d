public import JSON

/// What one emission means to a destination.
public enum Mapping: Sendable, Hashable {
    /// Sets values of a person: only the latest value of each name matters.
    case update(person: String, AttributeUpdate)
    /// Tells of something that happened, in one or more objects that travel in the same request.
    case occurrence(person: String, Occurrence)
    /// Asks for nothing, such as an order without products: leaves the outbox as not needed.
    case nothing
    /// Can't be sent, ever: the reason in words for people.
    case refused(reason: String)
}

/// Values to set for one person. While it waits, newer updates of the same person supersede it name by name.
///
/// One reference, for it is handed from queue to queue, and between threads.
public struct AttributeUpdate: Sendable, Hashable {
    private let parts: Parts

    private final class Parts: Sendable {
        let array: String
        let identity: JSONObject
        let values: JSONObject
        let pinned: Set<String>
        let note: String?

        init(_ array: String, _ identity: JSONObject, _ values: JSONObject, _ pinned: Set<String>, _ note: String?) {
            self.array = array
            self.identity = identity
            self.values = values
            self.pinned = pinned
            self.note = note
        }
    }

    /// The array of the request that the object stands in.
    public var array: String { parts.array }
    /// Members that every object about this person carries: identifiers and switches.
    public var identity: JSONObject { parts.identity }
    /// The values by name. A name whose value the destination has already acknowledged is left out.
    public var values: JSONObject { parts.values }
    /// Names among `values` that are sent even when unchanged.
    public var pinned: Set<String> { parts.pinned }
    /// What was left out and why, for the record of its delivery.
    public var note: String? { parts.note }

    public init(
        array: String, identity: JSONObject, values: JSONObject, pinned: Set<String> = [], note: String? = nil
    ) {
        parts = Parts(array, identity, values, pinned, note)
    }

    /// The same with other values.
    func with(_ values: JSONObject) -> AttributeUpdate {
        AttributeUpdate(array: array, identity: identity, values: values, pinned: pinned, note: note)
    }

    public static func == (left: AttributeUpdate, right: AttributeUpdate) -> Bool {
        left.array == right.array && left.identity == right.identity && left.values == right.values
            && left.pinned == right.pinned && left.note == right.note
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(identity)
        hasher.combine(values)
    }
}

/// Something that happened. Never merged, never left out.
public struct Occurrence: Sendable, Hashable {
    public var objects: [OutgoingObject]
    /// Names of values that this changes in a way that can't be predicted (`{"inc": 1}`): afterwards their value
    /// counts as unknown.
    public var touchedNames: Set<String>
    /// Other persons of whom those names are touched, too.
    public var touchedOthers: [String] = []
    /// Other persons who become this one by it: what was said of them before must have arrived first.
    public var follows: [String]
    /// Those of them under whose name this person goes from then on, too: whatever is said of them later is said of this
    /// person.
    public var joins: [String]
    /// What was left out and why, for the record of its delivery.
    public var note: String?

    public init(
        objects: [OutgoingObject], touchedNames: Set<String> = [], follows: [String] = [], joins: [String] = [],
        note: String? = nil
    ) {
        self.joins = joins
        self.note = note
        self.objects = objects
        self.touchedNames = touchedNames
        self.follows = follows
    }
}

extension Mapping {
    var person: String? {
        switch self {
        case .update(let person, _), .occurrence(let person, _): person
        case .nothing, .refused: nil
        }
    }

    /// The same, said of another person.
    func said(of person: String) -> Mapping {
        switch self {
        case .update(_, let update): .update(person: person, update)
        case .occurrence(_, let occurrence): .occurrence(person: person, occurrence)
        case .nothing, .refused: self
        }
    }
}

/// One object of a request.
public struct OutgoingObject: Sendable, Hashable {
    /// The array it stands in, for example `attributes`.
    public var array: String
    /// The object as JSON in UTF-8.
    public var json: [UInt8]

    public init(array: String, json: [UInt8]) {
        self.array = array
        self.json = json
    }

    public init(array: String, _ object: JSONObject) {
        self.init(array: array, json: JSONValue.object(object).utf8)
    }
}
