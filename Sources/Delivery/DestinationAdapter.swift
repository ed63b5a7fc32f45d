public import JSON
public import Model

// Delivery empties the outbox towards destinations.
//
// Emissions leave the outbox in their order, become objects of a destination's requests, and are settled: delivered,
// filtered because the destination already has the value, superseded by a newer value before they left, refused for a
// reason of their own, or parked with the destination's words. What this module promises:
//
// * Per destination and person the order is kept: at most one request about a person is under way.
// * Nothing is lost. An emission leaves the outbox in the transaction that records what became of it; after a crash
//   the outbox is read again. Nothing that a destination acknowledged is sent twice, save events whose answer was
//   lost: those may arrive twice, which is said on the attempt and counted (design §7).
// * A destination's limits are never exceeded, and one dead destination never slows another.
// * Every request and every local decision is recorded for the debugger.
//
// Read in this order: `DestinationAdapter` (what a kind of destination must tell), `DeliveryQueue` (the state machine
// of one destination, pure: time and chance come in), `DestinationRunner` (its owner, which does the I/O), and
// `DeliveryService` (one runner per destination).

/// What Delivery needs to know of one kind of destination. A value is one configured destination: settings that
/// passed validation.
///
/// Adapters are pure: they turn emissions into objects, objects into requests, and answers into verdicts. Queueing,
/// pacing, retries and records are Delivery's. `docs/destinations.md` tells how to write one.
public protocol DestinationAdapter: Sendable {
    /// The kind under which definitions name it: `Destination.kind`.
    static var kind: String { get }

    /// Names of settings that hold secrets. They are never recorded or shown.
    static var secretSettings: Set<String> { get }

    /// Ways to map the calls of sources that are connected straight to the destination, in the order in which the
    /// requests of one call are to be made.
    static var presets: [MappingPreset] { get }

    /// Kinds of mappings of which a connection may hold any number, each with an event filter of its own.
    static var triggers: [MappingPreset] { get }

    /// Validates settings. The error names the field and the remedy.
    init(settings: JSONObject) throws(SettingsError)

    var limits: DestinationLimits { get }

    /// What the destination bills; `.free` unless told otherwise.
    var pricing: Pricing { get }

    /// Names the place that holds what was acknowledged, for example host and a hash of the key. When it changes, no
    /// value counts as acknowledged any more.
    var ledgerScope: String { get }

    /// What the emission means to this destination.
    func map(_ emission: Emission) -> Mapping

    /// The request that carries the objects, in this order.
    func request(for objects: [OutgoingObject]) -> DestinationRequest

    /// A request that must have succeeded once before such objects are sent, for example one that makes the list that they
    /// join; `nil` where there is none.
    func preparation(for objects: [OutgoingObject], at instant: Instant) -> Preparation?

    /// The request as it leaves at an instant, for destinations that want to be told when it left, for example under
    /// a signature, or that want a secret in the body, which is not recorded so. Called once per sending, also of the probe.
    func seal(_ request: DestinationRequest, at instant: Instant) -> DestinationRequest

    /// What an answer means for the objects that were sent, in the order they were sent.
    func interpret(_ response: DestinationResponse, to objects: [OutgoingObject]) -> Verdict

    /// A request that tests settings and changes nothing at the destination; `nil` if there is none.
    var probe: DestinationRequest? { get }

    /// What the answer to `probe` says about the settings.
    func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict

    /// Probes at the destination's other addresses, for settings that one of them may accept: so a wrong address is told
    /// from a wrong key. Empty where there are none.
    var alternatives: [Alternative] { get }

    /// How held values can be read back; `nil` where they can't.
    var lookup: Lookup? { get }
}

/// A request that must have succeeded before others. It is made again after a restart, so it must do no harm twice.
public struct Preparation: Sendable, Hashable {
    /// What it prepares: it is made once per key.
    public var key: String
    public var request: DestinationRequest

    public init(key: String, request: DestinationRequest) {
        self.key = key
        self.request = request
    }
}

/// Another address of the same destination.
public struct Alternative: Sendable, Hashable {
    /// As people know it: `EU-01`.
    public var name: String
    public var probe: DestinationRequest

    public init(name: String, probe: DestinationRequest) {
        self.name = name
        self.probe = probe
    }
}

/// What a destination bills, in its own unit (Braze: data points).
public struct Pricing: Sendable {
    /// For setting a value.
    public var value: @Sendable (_ name: String, _ value: JSONValue) -> Int
    /// For one object of an occurrence.
    public var occurrence: @Sendable (OutgoingObject) -> Int

    public init(
        value: @escaping @Sendable (_ name: String, _ value: JSONValue) -> Int,
        occurrence: @escaping @Sendable (OutgoingObject) -> Int
    ) {
        self.value = value
        self.occurrence = occurrence
    }

    public static let free = Pricing(value: { _, _ in 0 }, occurrence: { _ in 0 })

    /// What one emission costs when everything in it is sent.
    public func cost(of mapping: Mapping) -> Int {
        switch mapping {
        case .update(_, let update): update.values.members.reduce(0) { $0 + value($1.key, $1.value) }
        case .occurrence(_, let happened): happened.objects.reduce(0) { $0 + occurrence($1) }
        case .nothing, .refused: 0
        }
    }
}

/// How to read back what a destination holds about persons.
public struct Lookup: Sendable {
    /// Persons per request, at least 1.
    public var personsPerRequest: Int
    public var requestsPerMinute: Double
    /// Whether the person can be asked about.
    public var canFind: @Sendable (_ person: String) -> Bool
    /// Whether the answer tells of values of this name.
    public var covers: @Sendable (_ name: String) -> Bool
    /// Asks for values of persons.
    public var request: @Sendable (_ persons: [String]) -> DestinationRequest
    public var interpret: @Sendable (DestinationResponse) -> LookupVerdict

    public init(
        personsPerRequest: Int, requestsPerMinute: Double, canFind: @escaping @Sendable (String) -> Bool,
        covers: @escaping @Sendable (String) -> Bool,
        request: @escaping @Sendable ([String]) -> DestinationRequest,
        interpret: @escaping @Sendable (DestinationResponse) -> LookupVerdict
    ) {
        self.personsPerRequest = personsPerRequest
        self.requestsPerMinute = requestsPerMinute
        self.canFind = canFind
        self.covers = covers
        self.request = request
        self.interpret = interpret
    }
}

/// What the answer to a lookup says.
public enum LookupVerdict: Sendable, Hashable {
    /// The values held, by person; persons without an entry are unknown there.
    case found([String: JSONObject])
    case throttled(message: String)
    case unavailable(message: String)
    /// A person must change something: what, in words.
    case misconfigured(reason: String)
}

extension DestinationAdapter {
    public static var secretSettings: Set<String> { [] }

    /// Every call, as it is.
    public static var presets: [MappingPreset] {
        [
            MappingPreset(
                name: "all_calls", title: "All Calls", explanation: "Every call, as it came.",
                calls: Call.Kind.allCases,
                isOnAtFirst: true)
        ]
    }

    public static var triggers: [MappingPreset] { [] }

    public func seal(_ request: DestinationRequest, at instant: Instant) -> DestinationRequest { request }
    public func preparation(for objects: [OutgoingObject], at instant: Instant) -> Preparation? { nil }
    public var probe: DestinationRequest? { nil }
    public func interpretProbe(_ response: DestinationResponse) -> ProbeVerdict { .working }
    public var pricing: Pricing { .free }
    public var alternatives: [Alternative] { [] }
    public var lookup: Lookup? { nil }
}

/// A setting that can't be used.
public struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The name of the setting.
    public var field: String
    /// What is wrong, without the value of a secret.
    public var message: String
    /// What to do.
    public var remedy: String

    public init(field: String, message: String, remedy: String) {
        self.field = field
        self.message = message
        self.remedy = remedy
    }

    public var description: String { "\(field): \(message). \(remedy)" }
}

/// What a destination takes.
public struct DestinationLimits: Sendable, Hashable {
    /// Objects of all arrays of one request together, at least 1.
    public var objectsPerRequest: Int
    /// Bytes of a request's body.
    public var bytesPerRequest: Int
    /// Bytes of one object as JSON.
    public var bytesPerObject: Int
    /// Objects of each array of one request; `nil` where only the sum counts.
    public var objectsPerArray: Int?
    /// Requests per second, sustained.
    public var requestsPerSecond: Double
    /// Arrays whose objects share a request only with their like, because they go to an address of their own, and how
    /// many of them one request takes.
    public var separateArrays: [String: Int]
    /// Whether a request holds objects of one array only.
    public var keepsArraysApart: Bool

    /// The array, if its objects go to an address of their own; `nil` where they share the destination's main one.
    func ownAddress(of array: String) -> String? { separateArrays[array] == nil ? nil : array }

    /// So many ready objects make a request worth sending at once.
    var fullRequest: Int { min(objectsPerRequest, objectsPerArray ?? objectsPerRequest) }

    public init(
        objectsPerRequest: Int, objectsPerArray: Int? = nil, bytesPerRequest: Int, bytesPerObject: Int,
        requestsPerSecond: Double, separateArrays: [String: Int] = [:], keepsArraysApart: Bool = false
    ) {
        self.keepsArraysApart = keepsArraysApart
        precondition(
            objectsPerRequest >= 1 && objectsPerArray ?? 1 >= 1 && requestsPerSecond > 0,
            "a destination takes something")
        precondition(
            bytesPerRequest >= bytesPerObject + RequestBuilder.envelopeBytes, "a request has room for any object")
        self.objectsPerRequest = objectsPerRequest
        self.objectsPerArray = objectsPerArray
        self.bytesPerRequest = bytesPerRequest
        self.bytesPerObject = bytesPerObject
        self.requestsPerSecond = requestsPerSecond
        self.separateArrays = separateArrays
    }
}
