import JSON
import Model

/// Fills one request within a destination's limits. Adding says no rather than exceed one.
struct RequestBuilder: Sendable {
    private let limits: DestinationLimits
    private(set) var items: [QueueItem] = []
    private(set) var objects: [PlannedObject] = []
    private(set) var bytes = RequestBuilder.envelopeBytes
    private var objectLimit: Int
    /// Objects by array, where a limit counts them so.
    private var counts: [String: Int] = [:]
    /// The object that further updates of the same person may join.
    private var open: Int?

    /// Room for `{"attributes":[],"events":[],"purchases":[]}` and what else an adapter may wrap around objects.
    static let envelopeBytes = 1024

    init(limits: DestinationLimits) {
        self.limits = limits
        objectLimit = limits.objectsPerRequest
        items.reserveCapacity(limits.objectsPerRequest)
        objects.reserveCapacity(limits.objectsPerRequest)
    }

    var isEmpty: Bool { items.isEmpty }
    var isFull: Bool {
        guard !objects.isEmpty else { return false }
        return objects.count >= min(objectLimit, capacity(of: objects[0].outgoing.array))
    }

    /// Objects of this array that one request takes.
    private func capacity(of array: String) -> Int { limits.separateArrays[array] ?? limits.objectsPerRequest }

    /// Whether objects of this array may join what is in the request.
    private func admits(_ array: String) -> Bool {
        objects.isEmpty || canShare(objects[0].outgoing.array, array)
    }

    /// Whether one request can hold objects of both arrays.
    func canShare(_ array: String, _ other: String) -> Bool {
        array == other
            || !limits.keepsArraysApart && limits.separateArrays[array] == nil && limits.separateArrays[other] == nil
    }

    /// Whether an occurrence could ever be sent; the reason in words if not.
    static func refusal(of occurrence: Occurrence, limits: DestinationLimits) -> String? {
        let capacity = occurrence.objects.first.flatMap { limits.separateArrays[$0.array] } ?? limits.objectsPerRequest
        if occurrence.objects.count > capacity {
            return "It needs \(occurrence.objects.count) objects in one request; the destination takes \(capacity)"
        }
        if let limit = limits.objectsPerArray {
            let counts = Dictionary(grouping: occurrence.objects, by: \.array).mapValues(\.count)
            if let (array, count) = counts.first(where: { $0.value > limit }) {
                return "It needs \(count) \(array) in one request; the destination takes \(limit)"
            }
        }
        for object in occurrence.objects where object.json.count > limits.bytesPerObject {
            return tooLarge(object.json.count, limits)
        }
        let bytes = occurrence.objects.reduce(envelopeBytes) { $0 + $1.json.count + 1 }
        guard bytes <= limits.bytesPerRequest else {
            return "It needs a request of \(bytes) bytes; the destination takes \(limits.bytesPerRequest)"
        }
        return nil
    }

    /// Whether an update could ever be sent; the reason in words if not.
    static func refusal(of update: AttributeUpdate, limits: DestinationLimits) -> String? {
        // Most are so small that nothing has to be written to know it.
        let bound = JSONValue.object(update.values).encodedBound + JSONValue.object(update.identity).encodedBound
        guard bound > limits.bytesPerObject else { return nil }
        let bytes = encode(update, update.values).count
        return bytes > limits.bytesPerObject ? tooLarge(bytes, limits) : nil
    }

    private static func tooLarge(_ bytes: Int, _ limits: DestinationLimits) -> String {
        "Its object has \(bytes) bytes; the destination takes \(limits.bytesPerObject)"
    }

    mutating func add(_ occurrence: Occurrence, _ item: QueueItem, of person: String) -> Bool {
        let array = occurrence.objects.first?.array ?? ""
        guard admits(array) else { return false }
        let limit = min(objectLimit, max(item.objectLimit, occurrence.objects.count), capacity(of: array))
        let size = occurrence.objects.reduce(0) { $0 + $1.json.count + 1 }
        guard objects.count + occurrence.objects.count <= limit, bytes + size <= limits.bytesPerRequest,
            claim(occurrence.objects)
        else { return false }
        objectLimit = limit
        bytes += size
        // What follows about values that this touches must not slip in front of it.
        if !occurrence.touchedNames.isEmpty { open = nil }
        for object in occurrence.objects {
            objects.append(
                PlannedObject(
                    person: person, outgoing: object, firstItem: items.count, values: JSONObject(),
                    touchedNames: occurrence.touchedNames, touchedOthers: occurrence.touchedOthers))
        }
        items.append(item)
        return true
    }

    mutating func add(
        _ update: AttributeUpdate, changed values: JSONObject, _ item: QueueItem, of person: String
    ) -> Bool {
        if let open, !item.isAlone, join(open, update, values, item, of: person) { return true }
        guard admits(update.array) else { return false }
        let json = Self.encode(update, values)
        let limit = min(objectLimit, item.objectLimit, capacity(of: update.array))
        guard objects.count + 1 <= limit, bytes + json.count + 1 <= limits.bytesPerRequest,
            limits.objectsPerArray == nil || claim([OutgoingObject(array: update.array, json: [])])
        else { return false }
        objectLimit = limit
        bytes += json.count + 1
        objects.append(
            PlannedObject(
                person: person, outgoing: OutgoingObject(array: update.array, json: json), firstItem: items.count,
                values: values, sequence: item.emission.sequence, touchedNames: []))
        open = item.isAlone ? nil : objects.count - 1
        items.append(item)
        return true
    }

    /// Counts the objects if none of their arrays becomes too long.
    private mutating func claim(_ added: [OutgoingObject]) -> Bool {
        guard let limit = limits.objectsPerArray else { return true }
        var counts = counts
        for object in added {
            counts[object.array, default: 0] += 1
            if counts[object.array, default: 0] > limit { return false }
        }
        self.counts = counts
        return true
    }

    /// Puts values into an object of the same person that is already in the request.
    private mutating func join(
        _ index: Int, _ update: AttributeUpdate, _ values: JSONObject, _ item: QueueItem, of person: String
    ) -> Bool {
        let object = objects[index]
        guard object.person == person, object.outgoing.array == update.array, objects.count <= item.objectLimit,
            case .update(let first) = items[object.firstItem].content, first.identity == update.identity
        else { return false }
        var joined = object.values
        for (name, value) in values.members { joined[name] = value }
        let json = Self.encode(update, joined)
        let growth = json.count - object.outgoing.json.count
        guard json.count <= limits.bytesPerObject, bytes + growth <= limits.bytesPerRequest else { return false }
        objectLimit = min(objectLimit, item.objectLimit)
        bytes += growth
        objects[index].outgoing.json = json
        objects[index].values = joined
        for (name, _) in values.members { objects[index].laterSequences[name] = item.emission.sequence }
        objects[index].laterItems.append(items.count)
        items.append(item)
        return true
    }

    private static func encode(_ update: AttributeUpdate, _ values: JSONObject) -> [UInt8] {
        var writer = JSONWriter(capacity: 160)
        writer.write(raw: "{" as StaticString)
        var isFirst = true
        func write(_ name: String, _ value: JSONValue) {
            if !isFirst { writer.write(raw: "," as StaticString) }
            isFirst = false
            writer.write(string: name)
            writer.write(raw: ":" as StaticString)
            writer.write(value)
        }
        // Where a value has the name of an identifier, the identifier stands.
        for (name, value) in values.members where update.identity[name] == nil { write(name, value) }
        for (name, value) in update.identity.members { write(name, value) }
        writer.write(raw: "}" as StaticString)
        return writer.bytes
    }

    /// What `rollBack` needs to undo additions.
    struct Checkpoint {
        fileprivate var itemCount: Int
        fileprivate var objectCount: Int
        fileprivate var bytes: Int
        fileprivate var objectLimit: Int
        fileprivate var counts: [String: Int]
        fileprivate var open: Int?
        fileprivate var openObject: PlannedObject?
    }

    var checkpoint: Checkpoint {
        Checkpoint(
            itemCount: items.count, objectCount: objects.count, bytes: bytes, objectLimit: objectLimit,
            counts: counts, open: open, openObject: open.map { objects[$0] })
    }

    mutating func rollBack(to checkpoint: Checkpoint) {
        items.removeLast(items.count - checkpoint.itemCount)
        objects.removeLast(objects.count - checkpoint.objectCount)
        bytes = checkpoint.bytes
        objectLimit = checkpoint.objectLimit
        counts = checkpoint.counts
        open = checkpoint.open
        if let open, let object = checkpoint.openObject { objects[open] = object }
    }

    func request(id: Int, sentAt: Instant) -> PlannedRequest {
        PlannedRequest(id: id, sentAt: sentAt, items: items, objects: objects, bytes: bytes)
    }
}
