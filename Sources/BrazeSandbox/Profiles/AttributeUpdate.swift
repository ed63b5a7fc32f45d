import JSON

/// What a value in an attributes object asks for (spec braze §2.2, custom attribute values).
enum AttributeUpdate {
    case set(AttributeValue)
    /// A nested object that merges with the present one.
    case merge(JSONObject)
    case remove
    case increment(Int)
    case addRemove(add: [JSONValue], remove: [JSONValue])
    case objects(ObjectArrayUpdate)
    /// Nothing happens; why, for the request log.
    case ignored(String)

    static let stringCharacters = 255
    static let objectBytes = 102_400

    static func read(_ value: JSONValue, merges: Bool) -> AttributeUpdate {
        switch value {
        case .null: return .remove
        case .bool(let bool): return .set(.boolean(bool))
        case .number(let number): return .set(.number(number))
        case .string(let text):
            guard text.count <= stringCharacters else { return .ignored("longer than 255 characters") }
            return .set(DateText.parse(text).map { .time($0) } ?? .string(text))
        case .array(let elements): return array(elements)
        case .object(let object): return self.object(object, merges: merges)
        }
    }

    private static func array(_ elements: [JSONValue]) -> AttributeUpdate {
        let objects = elements.compactMap(\.object)
        if !objects.isEmpty {
            guard objects.count == elements.count else {
                return .ignored("mixes objects and other values in one array")
            }
            var checked: [JSONObject] = []
            for object in objects {
                switch NestedObject.check(object) {
                case .success(let object): checked.append(object)
                case .failure(let reason): return .ignored(reason.text)
                }
            }
            return .set(.objects(checked))
        }
        guard let scalars = scalars(elements) else { return .ignored("has an array or null inside the array") }
        return .set(.array(scalars))
    }

    private static func object(_ object: JSONObject, merges: Bool) -> AttributeUpdate {
        let keys = Set(object.keys)
        if keys == ["inc"] {
            guard let step = object["inc"]?.integer else { return .ignored("inc needs a whole number") }
            return .increment(step)
        }
        if !keys.isEmpty, keys.isSubset(of: ["add", "remove"]) {
            guard let add = list(object["add"]), let remove = list(object["remove"]) else {
                return .ignored("add and remove need arrays of strings, numbers or booleans")
            }
            return .addRemove(add: add, remove: remove)
        }
        if !keys.isDisjoint(with: ["$add", "$remove", "$update"]) {
            switch ObjectArrayUpdate.read(object, merges: merges) {
            case .success(let update): return .objects(update)
            case .failure(let reason): return .ignored(reason.text)
            }
        }
        switch NestedObject.check(object) {
        case .success(let object): return merges ? .merge(object) : .set(.object(object))
        case .failure(let reason): return .ignored(reason.text)
        }
    }

    private static func list(_ value: JSONValue?) -> [JSONValue]? {
        guard let value else { return [] }
        guard let elements = value.array else { return nil }
        return scalars(elements)
    }

    private static func scalars(_ elements: [JSONValue]) -> [JSONValue]? {
        for element in elements {
            switch element {
            case .bool, .number: continue
            case .string(let text) where text.count <= stringCharacters: continue
            default: return nil
            }
        }
        return elements
    }

    enum Outcome {
        case value(AttributeValue)
        case removed
        case unchanged(String)
    }

    /// The value that follows from the present one.
    func apply(to current: AttributeValue?, arrayCap: Int) -> Outcome {
        let next: AttributeValue
        switch self {
        case .remove: return .removed
        case .ignored(let reason): return .unchanged(reason)
        case .set(.array(let elements)): next = .array(AttributeUpdate.collapse(elements, cap: arrayCap))
        case .set(let value): next = value
        case .merge(let object):
            guard case .object(let present)? = current else {
                next = .object(object)
                break
            }
            next = .object(NestedObject.merge(present, with: object))
        case .increment(let step):
            switch current {
            case nil: next = .number(JSONNumber(step))
            case .number(let number):
                if let integer = number.integer, !integer.addingReportingOverflow(step).overflow {
                    next = .number(JSONNumber(integer + step))
                } else {
                    next = .number(JSONNumber(number.double + Double(step)))
                }
            default: return .unchanged("inc works on numbers only; the value is a \(current?.type.title ?? "")")
            }
        case .addRemove(let add, let remove):
            var elements: [JSONValue] = []
            if let current {
                guard case .array(let present) = current else {
                    return .unchanged("add and remove work on arrays only; the value is a \(current.type.title)")
                }
                elements = present
            }
            elements = AttributeUpdate.collapse(elements + add, cap: arrayCap)
            elements.removeAll { remove.contains($0) }
            next = .array(elements)
        case .objects(let update):
            var objects: [JSONObject] = []
            switch current {
            case nil, .array([])?: break
            case .objects(let present)?: objects = present
            default: return .unchanged("$add, $remove and $update work on object arrays only")
            }
            next = .objects(update.apply(to: objects))
        }
        switch next {
        case .object, .objects, .array:
            guard next.json.utf8.count <= AttributeUpdate.objectBytes else { return .unchanged("larger than 100 KB") }
        default: break
        }
        return .value(next)
    }

    /// Duplicates collapse to their last position; over the cap the oldest elements fall off.
    static func collapse(_ elements: [JSONValue], cap: Int) -> [JSONValue] {
        var seen: Set<JSONValue> = []
        var kept: [JSONValue] = []
        for element in elements.reversed() where seen.insert(element).inserted { kept.append(element) }
        return kept.prefix(cap).reversed()
    }

    /// Data points that the update costs (§7.1): a whole value 1, an incremental add 1 per value, an object 1 per key.
    var dataPoints: Int {
        switch self {
        case .set(.object(let object)), .merge(let object): max(1, NestedObject.leaves(object))
        case .set(.objects(let objects)): max(1, objects.reduce(0) { $0 + NestedObject.leaves($1) })
        case .addRemove(let add, let remove): max(1, add.count + remove.count)
        case .objects(let update): update.dataPoints
        case .set, .remove, .increment: 1
        case .ignored: 0
        }
    }
}

/// Why an update has no effect.
struct Ignored: Error {
    let text: String
}
