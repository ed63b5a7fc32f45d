import JSON

/// An element of `attributes` that passed the checks (spec braze §2.2).
struct AttributesObject: Sendable {
    /// `nil` only for a push token import, which makes an anonymous profile.
    let identity: Identity?
    let updateExistingOnly: Bool?
    let mergesObjects: Bool
    /// The object as it was sent, control keys included.
    let object: JSONObject

    static let controlKeys: Set<String> = [
        "external_id", "user_alias", "braze_id", "_update_existing_only", "_merge_objects", "push_token_import",
    ]
}

/// An element of `events` that passed the checks (§2.3).
struct EventObject: Sendable {
    let identity: Identity
    let updateExistingOnly: Bool?
    let name: String
    let time: EpochMilliseconds
    let properties: JSONObject
    let appID: String?
    let object: JSONObject
}

/// An element of `purchases` that passed the checks (§2.4).
struct PurchaseObject: Sendable {
    let identity: Identity
    let updateExistingOnly: Bool?
    let productID: String
    let currency: String
    let price: Double
    let quantity: Int
    let time: EpochMilliseconds
    let properties: JSONObject
    let object: JSONObject
}

/// An accepted object, where it stood in the request, and what the check left out of it.
struct TrackItem<Object: Sendable>: Sendable {
    let index: Int
    let object: Object
    var notes: [String] = []
}

/// The three arrays of `/users/track`.
enum TrackArray: String, Sendable, CaseIterable {
    case attributes, events, purchases
}

/// A refused object, as the reply's `errors` names it.
struct RefusedObject: Sendable {
    let array: TrackArray
    let index: Int
    let type: String
    /// For the request log: whom it seems to be about.
    let identity: String?

    var json: JSONValue {
        ["type": .string(type), "input_array": .string(array.rawValue), "index": .number(index)]
    }
}

/// A call of `/users/track` after its checks: what will be applied and what was refused.
struct TrackBatch: Sendable {
    var attributes: [TrackItem<AttributesObject>] = []
    var events: [TrackItem<EventObject>] = []
    var purchases: [TrackItem<PurchaseObject>] = []
    var refused: [RefusedObject] = []
    /// The arrays that the request had, empty ones too: each gets a count in the reply (§1.3).
    var present: [TrackArray] = []

    var acceptedCount: Int { attributes.count + events.count + purchases.count }

    func count(_ array: TrackArray) -> Int {
        switch array {
        case .attributes: attributes.count
        case .events: events.count
        case .purchases: purchases.count
        }
    }

    /// Objects of a body, before any is looked at: the count limit comes first.
    static func objectCounts(_ body: JSONObject) -> [Int] {
        TrackArray.allCases.map { body[$0.rawValue]?.array?.count ?? 0 }
    }

    /// Checks every object of a body. Never fails as a whole: refused objects are listed.
    init(checking body: JSONObject, switches: SandboxSwitches) {
        let checks = ObjectChecks(texts: ErrorTexts(switches), propertyBytes: switches.propertyBytes)
        for array in TrackArray.allCases {
            guard let elements = body[array.rawValue]?.array else { continue }
            present.append(array)
            for (index, element) in elements.enumerated() {
                do throws(ObjectError) {
                    guard let object = element.object else {
                        throw ObjectError("'\(array.rawValue)' must be an array of objects")
                    }
                    var notes: [String] = []
                    switch array {
                    case .attributes:
                        attributes.append(TrackItem(index: index, object: try checks.attributes(object), notes: notes))
                    case .events:
                        let event = try checks.event(object, notes: &notes)
                        events.append(TrackItem(index: index, object: event, notes: notes))
                    case .purchases:
                        let purchase = try checks.purchase(object, notes: &notes)
                        purchases.append(TrackItem(index: index, object: purchase, notes: notes))
                    }
                } catch {
                    let identity = ["external_id", "braze_id", "email", "phone"].lazy.compactMap { element[$0]?.string }
                        .first
                    refused.append(RefusedObject(array: array, index: index, type: error.type, identity: identity))
                }
            }
        }
    }

    init() {}

    /// Moves the accepted objects that `reason` names an error for to the refused ones.
    mutating func refuse(where reason: (TrackArray, Int, Identity?) -> String?) {
        func sift<Object>(
            _ items: inout [TrackItem<Object>], _ array: TrackArray, _ identity: (Object) -> Identity?
        ) {
            items.removeAll { item in
                guard let type = reason(array, item.index, identity(item.object)) else { return false }
                refused.append(
                    RefusedObject(array: array, index: item.index, type: type, identity: identity(item.object)?.text))
                return true
            }
        }
        sift(&attributes, .attributes) { $0.identity }
        sift(&events, .events) { $0.identity }
        sift(&purchases, .purchases) { $0.identity }
        let order = TrackArray.allCases
        refused.sort {
            (order.firstIndex(of: $0.array) ?? 0, $0.index) < (order.firstIndex(of: $1.array) ?? 0, $1.index)
        }
    }

    /// The accepted objects as a request body: what the journal keeps.
    var json: JSONValue {
        var body = JSONObject()
        if !attributes.isEmpty { body["attributes"] = .array(attributes.map { .object($0.object.object) }) }
        if !events.isEmpty { body["events"] = .array(events.map { .object($0.object.object) }) }
        if !purchases.isEmpty { body["purchases"] = .array(purchases.map { .object($0.object.object) }) }
        return .object(body)
    }
}
