import Crypto
public import Delivery
public import JSON

/// The settings of a Braze destination, checked and in one spelling.
///
/// | setting | required | meaning |
/// |---|---|---|
/// | `endpoint` | yes | the data centre, as an instance name (`US-03`, `EU-02`) or a REST address |
/// | `api_key` | yes | a REST API key with the permission `users.track`; secret |
/// | `app_id` | no | added to every event and purchase |
/// | `anonymous_alias_label` | no | sends persons without any other identifier under a user alias with this label |
/// | `requests_per_second` | no | 1 to 1000 (Braze's limit); 100 where it is missing |
/// | `object_limit` | no | `combined` (75 in all, within every contract) or `per_array` (older contracts) |
/// | `delete_users` | no | `true` deletes people in Braze whom a regulation deletes here; the key needs `users.delete` |
/// | `allow_custom_host` | no | lets `endpoint` be something else than Braze, for example a sandbox on another machine |
public struct BrazeSettings: Sendable, Hashable {
    /// The REST address without a slash at its end.
    public let endpoint: String
    let apiKey: String
    public let appID: String?
    public let anonymousAliasLabel: String?
    /// Deletes people in Braze whom a regulation deletes here.
    public let deletesUsers: Bool
    /// Requests per second at most.
    public let requestsPerSecond: Double
    /// Whether the contract counts 75 objects per array instead of 75 in all.
    public let countsObjectsPerArray: Bool

    public init(_ settings: JSONObject) throws(SettingsError) {
        endpoint = try Self.endpoint(in: settings)
        apiKey = try Self.key(in: settings)
        appID = try Self.text("app_id", in: settings)
        anonymousAliasLabel = try Self.text("anonymous_alias_label", in: settings)
        deletesUsers = settings["delete_users"].map(Self.isTrue) ?? false
        requestsPerSecond = try Self.rate(in: settings)
        switch try Self.text("object_limit", in: settings) ?? "combined" {
        case "combined": countsObjectsPerArray = false
        case "per_array": countsObjectsPerArray = true
        default:
            throw SettingsError(
                field: "object_limit", message: "is neither combined nor per_array",
                remedy: "Leave it out unless your contract with Braze counts objects per array")
        }
    }

    /// Names the workspace without giving the key away. A new key may belong to another workspace, so it counts as one.
    var workspaceFingerprint: String { Self.fingerprint("\(endpoint) \(apiKey)") }

    /// Tells one text from others without giving it away.
    static func fingerprint(_ text: String) -> String {
        let digest = SHA256.hash(data: Array(text.utf8))
        let hex = Array("0123456789abcdef")
        return digest.prefix(8).map { "\(hex[Int($0 >> 4)])\(hex[Int($0 & 15)])" }.joined()
    }

    /// The address of the REST API.
    static func endpoint(in settings: JSONObject) throws(SettingsError) -> String {
        try RESTEndpoint.address(
            try text("endpoint", in: settings) ?? "",
            allowsAnyHost: settings["allow_custom_host"].map(isTrue) ?? false)
    }

    private static func isTrue(_ value: JSONValue) -> Bool { value == true || value == "true" }

    /// A text without spaces around it; `nil` where it is missing or empty.
    static func text(_ field: String, in settings: JSONObject) throws(SettingsError) -> String? {
        switch settings[field] {
        case nil, .null?: return nil
        case .string(let text)?:
            let trimmed = text.trimmingSpaces
            return trimmed.isEmpty ? nil : trimmed
        default:
            throw SettingsError(field: field, message: "is not a text", remedy: "Give it as a JSON string")
        }
    }

    /// A number, or a text that is one.
    private static func rate(in settings: JSONObject) throws(SettingsError) -> Double {
        let rate: Double?
        switch settings["requests_per_second"] {
        case nil, .null?, .string("")?: return 100
        case .number(let number)?: rate = number.double
        case .string(let text)?: rate = Double(text.trimmingSpaces)
        default: rate = nil
        }
        guard let rate, (1...1000).contains(rate) else {
            throw SettingsError(
                field: "requests_per_second", message: "is not a number from 1 to 1000",
                remedy: "Braze allows 1000 requests per second; 100 is the default")
        }
        return rate
    }

    private static func key(in settings: JSONObject) throws(SettingsError) -> String {
        let remedy =
            "In Braze open Settings > APIs and Identifiers, create a REST API key with the permission users.track "
            + "and copy it whole"
        guard let key = try text("api_key", in: settings) else {
            throw SettingsError(field: "api_key", message: "is missing", remedy: remedy)
        }
        if let first = key.first, "\"'`“”‘’„".contains(first) {
            throw SettingsError(
                field: "api_key", message: "stands in quotation marks", remedy: "Paste the key without them")
        }
        guard key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }) else {
            throw SettingsError(
                field: "api_key", message: "holds a space or another character that no key has", remedy: remedy)
        }
        return key
    }
}

extension BrazeSettings: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the key, which must not slip into a log.
    public var description: String { "Braze at \(endpoint)" }
    public var debugDescription: String { description }
}

extension String {
    var trimmingSpaces: String {
        // Dates and addresses mostly have nothing to trim, which two bytes tell; the way through characters is long.
        if let first = utf8.first, let last = utf8.last, 0x21...0x7E ~= first, 0x21...0x7E ~= last { return self }
        return String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}
