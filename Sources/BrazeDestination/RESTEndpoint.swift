import Delivery

/// Finds the REST address that a person means (braze §1.1).
enum RESTEndpoint {
    /// Braze's data centres as people know them, with their addresses (braze §1.1).
    static let instances: [(name: String, address: String)] = {
        let names =
            (1...8).map { "US-0\($0)" } + ["US-10", "EU-01", "EU-02", "AU-01", "ID-01", "JP-01", "KR-01"]
        return names.compactMap { name in instance(name.lowercased()).map { (name, $0) } }
    }()

    /// Whether the address is one of Braze's own.
    static func isREST(_ address: String) -> Bool {
        guard address.hasPrefix("https://rest.") else { return false }
        return isBraze(String(address.dropFirst("https://".count)))
    }

    private static let field = "endpoint"
    private static let remedy =
        "Choose the data centre that stands in the address of your Braze dashboard: dashboard-03.braze.com is US-03"

    /// Accepts an instance name (`US-03`), a REST host with or without scheme, a loopback address, and with the override
    /// any HTTP address.
    static func address(_ typed: String, allowsAnyHost: Bool) throws(SettingsError) -> String {
        var text = typed.lowercased().filter { !$0.isWhitespace }
        while text.hasSuffix("/") { text.removeLast() }
        guard !text.isEmpty else {
            throw SettingsError(field: field, message: "the data centre is missing", remedy: remedy)
        }
        if let address = instance(text) { return address }

        let (scheme, rest) = split(text)
        let host = String(rest.prefix { $0 != "/" && $0 != ":" && $0 != "?" && $0 != "#" })
        if rest.hasPrefix("[::1]") || isLoopback(host) || allowsAnyHost && !host.isEmpty {
            let scheme = scheme ?? (allowsAnyHost && !isLoopback(host) ? "https" : "http")
            guard scheme == "http" || scheme == "https", !rest.contains("?"), !rest.contains("#"),
                !rest.contains("@")
            else {
                throw SettingsError(
                    field: field, message: "is not an HTTP address", remedy: "Write it like http://localhost:8090")
            }
            return "\(scheme)://\(rest)"
        }
        guard isBraze(host) else {
            throw SettingsError(
                field: field, message: "'\(typed)' is neither a data centre nor a Braze REST address",
                remedy: remedy + ". For a sandbox on another machine set allow_custom_host")
        }
        let labels = host.split(separator: ".")
        if labels.first == "sdk" {
            throw SettingsError(
                field: field, message: "'\(host)' is the address for Braze's SDKs, which does not take REST calls",
                remedy: "Use https://rest\(host.dropFirst(3))")
        }
        if let first = labels.first, first.hasPrefix("dashboard") {
            throw SettingsError(
                field: field, message: "'\(host)' is the address of the dashboard",
                remedy: dashboardHint(host) ?? remedy)
        }
        guard labels.first == "rest", labels.count == 4, rest == host, scheme != "http" else {
            throw SettingsError(
                field: field, message: "'\(typed)' is not a Braze REST address",
                remedy: "Write it like https://rest.iad-03.braze.com. " + remedy)
        }
        return "https://\(host)"
    }

    /// `us-03` → `https://rest.iad-03.braze.com`.
    private static func instance(_ text: String) -> String? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = Int(parts[1]), (1...99).contains(number),
            parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), parts[1].utf8.count <= 2
        else { return nil }
        let digits = number < 10 ? "0\(number)" : "\(number)"
        switch parts[0] {
        case "us": return "https://rest.\(number < 9 ? "iad" : "us")-\(digits).braze.com"
        case "eu": return "https://rest.fra-\(digits).braze.eu"
        case "au", "id", "jp", "kr": return "https://rest.\(parts[0])-\(digits).braze.com"
        default: return nil
        }
    }

    private static func split(_ text: String) -> (scheme: String?, rest: String) {
        guard let colon = text.firstRange(of: "://") else { return (nil, text) }
        return (String(text[..<colon.lowerBound]), String(text[colon.upperBound...]))
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host.hasSuffix(".localhost")
            || host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." }
    }

    private static func isBraze(_ host: String) -> Bool { host.hasSuffix(".braze.com") || host.hasSuffix(".braze.eu") }

    /// `dashboard-03.braze.com` → the REST address of US-03.
    private static func dashboardHint(_ host: String) -> String? {
        let labels = host.split(separator: ".")
        let name =
            labels.first == "dashboard" && labels.count == 4
            ? String(labels[1]) : (host.hasSuffix(".eu") ? "eu-" : "us-") + labels[0].dropFirst("dashboard-".count)
        return instance(name).map { "Use \($0)" }
    }
}
