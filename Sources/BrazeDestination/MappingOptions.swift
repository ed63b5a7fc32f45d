import JSON

/// What a connection says about mapping a call: the payload's member `mapping`.
///
/// There is no mapping language, only what presets let people change: which value fills a field, other names for keys
/// and events, and whether people may be created.
struct MappingOptions {
    var action: BrazeAction?
    /// The name under which an audience or trait is sent, where it is not its key.
    var keyName: String?
    /// Whether the call tells the value of an audience or trait: then a bad field that only goes along must not keep the
    /// value from arriving.
    var isOfComputation = false
    private let options: JSONObject

    init(_ call: JSONValue) throws(MappingError) {
        options = call["mapping"]?.object ?? [:]
        keyName = options["key"]?.string
        guard let name = options["action"]?.string else { return }
        guard let action = BrazeAction(rawValue: name) else {
            throw MappingError(
                message:
                    "The connection of the source asks for the action '\(name)', which this version does not know: "
                    + "connect the source again")
        }
        self.action = action
    }

    func text(_ key: String) -> String? { options[key]?.string }

    func isOn(_ key: String) -> Bool { options[key] == true }

    func object(_ key: String) -> JSONObject? { options[key]?.object }

    /// A table of directives, each resolved in the call; those that lead nowhere are left out.
    func resolved(_ key: String, in call: JSONValue) -> JSONObject? {
        guard let table = object(key) else { return nil }
        var found = JSONObject()
        for (name, directive) in table.members {
            found[name] = directive.string.flatMap { Self.resolve($0, in: call) }
        }
        return found
    }

    /// Lets people's own choices take the place of what the default mapping has found. A field without a value is
    /// absent; a text that is empty counts as none (spec: braze-destination §2, step 3).
    func apply(to fields: inout JSONObject, of call: JSONValue) {
        if options["updateExistingOnly"] == true { fields["_update_existing_only"] = true }
        for (field, directive) in options["fields"]?.object?.members ?? [] {
            guard let directive = directive.string else { continue }
            let value = Self.resolve(directive, in: call)
            let parts = field.split(separator: ".", maxSplits: 1).map(String.init)
            if parts.count == 2 {
                var outer = fields[parts[0]]?.object ?? [:]
                outer[parts[1]] = value
                fields[parts[0]] = outer.isEmpty ? nil : .object(outer)
            } else {
                fields[field] = value
            }
        }
        for (field, value) in fields.members {
            if case .string(let text) = value, text.isEmpty { fields[field] = nil }
        }
    }

    /// A product's own fields, looked up in the product: `product_id` ← `$.sku`.
    func apply(toProduct fields: inout JSONObject) {
        let product = JSONValue.object(fields)
        for (field, directive) in options["productFields"]?.object?.members ?? [] {
            guard let directive = directive.string, let value = Self.resolve(directive, in: product) else { continue }
            fields[field] = value
        }
    }

    /// Traits or properties under the names that people want them to have.
    func renamingKeys(_ value: JSONValue?) -> JSONValue? {
        guard let names = options["renameKeys"]?.object, !names.isEmpty, let object = value?.object else {
            return value
        }
        return .object(
            JSONObject(
                object.members.map { key, value -> (key: String, value: JSONValue) in
                    (key: names[key]?.string ?? key, value: value)
                }))
    }

    func renamingEvent(_ name: JSONValue?) -> JSONValue? {
        guard let name else { return nil }
        return name.string.flatMap { options["renameEvents"]?[$0] } ?? name
    }

    /// `$.traits.birthday` is a path, `Viewed {{name}} Page` a template, anything else a text.
    static func resolve(_ directive: String, in call: JSONValue) -> JSONValue? {
        if directive.hasPrefix("$.") { return call.at(String(directive.dropFirst(2))) }
        guard directive.contains("{{") else { return .string(directive) }
        return .string(template(directive, in: call))
    }

    /// Places that lead nowhere are left out, and double spaces with them.
    static func template(_ text: String, in call: JSONValue) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstRange(of: "{{"), let close = rest[open.upperBound...].firstRange(of: "}}") {
            result += rest[..<open.lowerBound]
            let path = String(rest[open.upperBound..<close.lowerBound]).trimmingSpaces
            switch call.at(path) {
            case .string(let text)?: result += text
            case .number(let number)?: result += number.text
            case .bool(let bool)?: result += bool ? "true" : "false"
            default: break
            }
            rest = rest[close.upperBound...]
        }
        return (result + rest).split(separator: " ").joined(separator: " ")
    }
}
