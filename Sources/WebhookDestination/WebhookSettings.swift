public import Delivery
public import JSON

/// The settings of a webhook, checked.
///
/// | setting | required | meaning |
/// |---|---|---|
/// | `url` | yes | where to post: https, or http on this machine |
/// | `secret` | yes | what requests are signed with, 16 characters or more; secret |
/// | `old_secret` | no | also signs, while a receiver changes over to a new `secret`; secret |
/// | `batch_size` | no | calls per request, 1 to 500; 50 if not set |
/// | `allow_custom_host` | no | lets `url` be plain http to another machine, for networks of one's own |
public struct WebhookSettings: Sendable, Hashable {
    public let url: String
    let secrets: [String]
    public let batchSize: Int

    public init(_ settings: JSONObject) throws(SettingsError) {
        let allowsPlain = settings["allow_custom_host"] == true || settings["allow_custom_host"] == "true"
        url = try Self.address(try Self.text("url", in: settings) ?? "", allowsPlain: allowsPlain)
        guard let secret = try Self.secret("secret", in: settings) else {
            throw SettingsError(
                field: "secret", message: "is missing",
                remedy: "Make one up, for example with: openssl rand -hex 32")
        }
        secrets = [secret] + [try Self.secret("old_secret", in: settings)].compactMap(\.self)
        batchSize = try Self.batchSize(settings["batch_size"])
    }

    private static func text(_ field: String, in settings: JSONObject) throws(SettingsError) -> String? {
        switch settings[field] {
        case nil, .null?: return nil
        case .string(let text)?:
            let isSpace = { (character: Character) in character.isWhitespace }
            let trimmed = String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
            return trimmed.isEmpty ? nil : trimmed
        default:
            throw SettingsError(field: field, message: "is not a text", remedy: "Give it as a JSON string")
        }
    }

    private static func secret(_ field: String, in settings: JSONObject) throws(SettingsError) -> String? {
        guard let secret = try text(field, in: settings) else { return nil }
        guard secret.utf8.count >= 16 else {
            throw SettingsError(
                field: field, message: "is too short to keep anybody out",
                remedy: "Use 16 characters or more, for example from: openssl rand -hex 32")
        }
        return secret
    }

    private static func batchSize(_ value: JSONValue?) throws(SettingsError) -> Int {
        let number: Int?
        switch value {
        case nil, .null?, .string("")?: return 50
        case .string(let text)?: number = Int(text)
        default: number = value?.integer
        }
        guard let number, (1...500).contains(number) else {
            throw SettingsError(
                field: "batch_size", message: "is not a whole number from 1 to 500", remedy: "Leave it empty for 50")
        }
        return number
    }

    private static func address(_ text: String, allowsPlain: Bool) throws(SettingsError) -> String {
        let remedy = "Write it like https://example.org/muster"
        guard !text.isEmpty else { throw SettingsError(field: "url", message: "is missing", remedy: remedy) }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let colon = text.firstRange(of: "://") else {
            throw SettingsError(field: "url", message: "is not a web address", remedy: remedy)
        }
        let scheme = text[..<colon.lowerBound].lowercased()
        let rest = text[colon.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard ["https", "http"].contains(scheme), !authority.isEmpty, !rest.contains("#") else {
            throw SettingsError(field: "url", message: "is not a web address", remedy: remedy)
        }
        guard !authority.contains("@") else {
            throw SettingsError(
                field: "url", message: "holds a user name or password, which would be shown",
                remedy: "Leave it out: receivers know a request by its signature")
        }
        let host = authority.hasPrefix("[") ? authority.prefix { $0 != "]" } + "]" : authority.prefix { $0 != ":" }
        guard scheme == "https" || allowsPlain || isLoopback(host.lowercased()) else {
            throw SettingsError(
                field: "url", message: "is plain http, which anybody on the way can read",
                remedy: "Use https; or, in a network of your own, set allow_custom_host to true")
        }
        return text
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "[::1]" || host.hasSuffix(".localhost")
            || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
    }
}

extension WebhookSettings: CustomStringConvertible, CustomDebugStringConvertible {
    /// Without the secrets, which must not slip into a log.
    public var description: String { "webhook to \(url)" }
    public var debugDescription: String { description }
}
