import JSON

/// Objects as attribute values (spec braze §2.2).
enum NestedObject {
    /// The object as it is stored, with times normalised; fails where one invalid or null value discards the update.
    static func check(_ object: JSONObject) -> Result<JSONObject, Ignored> {
        var members: [(key: String, value: JSONValue)] = []
        for (key, value) in object.members {
            guard key.count <= AttributeUpdate.stringCharacters, !key.isEmpty,
                !key.contains(where: { " .$".contains($0) })
            else {
                return .failure(Ignored(text: "has a key with a space, '.' or '$', or one longer than 255 characters"))
            }
            switch check(value) {
            case .success(let value?): members.append((key, value))
            case .success(nil): continue
            case .failure(let reason): return .failure(reason)
            }
        }
        return .success(JSONObject(members))
    }

    /// `success(nil)`: a time out of range, which is left out.
    private static func check(_ value: JSONValue) -> Result<JSONValue?, Ignored> {
        switch value {
        case .null:
            return .failure(Ignored(text: "has a null inside: all nested updates of the attribute are discarded"))
        case .bool, .number: return .success(value)
        case .string(let text):
            guard text.count <= AttributeUpdate.stringCharacters else {
                return .failure(Ignored(text: "has a string longer than 255 characters inside"))
            }
            return .success(value)
        case .array(let elements):
            var checked: [JSONValue] = []
            for element in elements {
                switch check(element) {
                case .success(let element?): checked.append(element)
                case .success(nil): continue
                case .failure(let reason): return .failure(reason)
                }
            }
            return .success(.array(checked))
        case .object(let object):
            if object.count == 1, let text = object["$time"] {
                guard let instant = text.string.flatMap(DateText.parse) else { return .success(nil) }
                return .success(["$time": .string(DateText.iso(instant))])
            }
            switch check(object) {
            case .success(let object): return .success(.object(object))
            case .failure(let reason): return .failure(reason)
            }
        }
    }

    /// `_merge_objects`: members of both; objects on both sides merge in turn.
    static func merge(_ present: JSONObject, with update: JSONObject) -> JSONObject {
        var merged = present
        for (key, value) in update.members {
            if case .object(let inner) = value, case .object(let old)? = present[key], inner["$time"] == nil {
                merged[key] = .object(merge(old, with: inner))
            } else {
                merged[key] = value
            }
        }
        return merged
    }

    static func leaves(_ object: JSONObject) -> Int {
        object.members.reduce(0) { sum, member in
            if case .object(let inner) = member.value, inner["$time"] == nil { return sum + max(1, leaves(inner)) }
            return sum + 1
        }
    }
}

/// `$add`, `$remove` and `$update` on an array of objects; applied in this order (§2.2).
struct ObjectArrayUpdate {
    struct Selector {
        let key: String
        let value: JSONValue

        func matches(_ object: JSONObject) -> Bool { object[key] == value }
    }

    var add: [JSONObject] = []
    var remove: [Selector] = []
    var update: [(selector: Selector, object: JSONObject)] = []
    var merges = false

    static func read(_ object: JSONObject, merges: Bool) -> Result<ObjectArrayUpdate, Ignored> {
        var result = ObjectArrayUpdate(merges: merges)
        for (key, value) in object.members {
            // A single object stands for a list of one.
            let elements = value.array ?? [value]
            for element in elements {
                guard let entry = element.object else { return .failure(Ignored(text: "\(key) needs objects")) }
                switch key {
                case "$add":
                    switch NestedObject.check(entry) {
                    case .success(let entry): result.add.append(entry)
                    case .failure(let reason): return .failure(reason)
                    }
                case "$remove":
                    guard let selector = selector(entry) else { return .failure(missingSelector(key)) }
                    result.remove.append(selector)
                case "$update":
                    guard let selector = selector(entry), let new = entry["$new_object"]?.object else {
                        return .failure(missingSelector(key))
                    }
                    switch NestedObject.check(new) {
                    case .success(let new): result.update.append((selector, new))
                    case .failure(let reason): return .failure(reason)
                    }
                default: return .failure(Ignored(text: "mixes \(key) with operators"))
                }
            }
        }
        return .success(result)
    }

    private static func selector(_ entry: JSONObject) -> Selector? {
        guard let key = entry["$identifier_key"]?.string, let value = entry["$identifier_value"] else { return nil }
        return Selector(key: key, value: value)
    }

    private static func missingSelector(_ key: String) -> Ignored {
        Ignored(text: "\(key) needs $identifier_key and $identifier_value\(key == "$update" ? " and $new_object" : "")")
    }

    func apply(to objects: [JSONObject]) -> [JSONObject] {
        var result = objects + add
        result.removeAll { object in remove.contains { $0.matches(object) } }
        for (selector, new) in update {
            for index in result.indices where selector.matches(result[index]) {
                result[index] = merges ? NestedObject.merge(result[index], with: new) : new
            }
        }
        return result
    }

    var dataPoints: Int {
        max(
            1,
            add.reduce(remove.count) { $0 + NestedObject.leaves($1) }
                + update.reduce(0) { $0 + NestedObject.leaves($1.object) })
    }
}
