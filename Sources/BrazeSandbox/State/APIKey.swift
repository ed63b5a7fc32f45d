import JSON

/// A REST API key (spec braze §1.2): belongs to a workspace; permissions and allowlist are fixed at creation.
struct APIKey: Sendable {
    let id: String
    let name: String
    let secret: String
    let workspace: String
    let permissions: Set<String>
    /// Source addresses or IPv4 networks (`10.0.0.0/8`); empty: any.
    let allowlist: [String]
    let createdAt: EpochMilliseconds
    var isRevoked = false
    /// Not kept over a restart.
    var lastSeen: EpochMilliseconds?

    /// All permission strings that keys can carry.
    static let allPermissions = [
        "users.track", "users.track.sync", "users.track.bulk", "users.alias.new", "users.alias.update",
        "users.identify",
        "users.merge", "users.delete", "users.external_ids.rename", "users.external_ids.remove", "users.export.ids",
        "users.export.segment", "users.export.global_control_group", "segments.list", "segments.data_series",
        "segments.details", "events.list", "events.data_series", "events.get", "custom_attributes.get",
        "purchases.product_list", "campaigns.trigger.send", "campaigns.list", "campaigns.details",
        "campaigns.data_series", "canvas.trigger.send", "canvas.list", "canvas.details", "canvas.data_series",
        "canvas.data_summary", "messages.send", "subscription.status.set", "subscription.status.get",
        "subscription.groups.get",
    ]

    var json: JSONValue {
        [
            "id": .string(id), "name": .string(name), "secret": .string(secret), "workspace": .string(workspace),
            "permissions": .array(permissions.sorted().map { .string($0) }),
            "allowlist": .array(allowlist.map { .string($0) }), "created_at": .number(Int(createdAt)),
            "revoked": .bool(isRevoked),
        ]
    }

    init(
        id: String, name: String, secret: String, workspace: String, permissions: Set<String>, allowlist: [String],
        createdAt: EpochMilliseconds
    ) {
        self.id = id
        self.name = name
        self.secret = secret
        self.workspace = workspace
        self.permissions = permissions
        self.allowlist = allowlist
        self.createdAt = createdAt
    }

    init?(_ json: JSONValue) {
        guard let id = json["id"]?.string, let name = json["name"]?.string, let secret = json["secret"]?.string,
            let workspace = json["workspace"]?.string
        else { return nil }
        self.init(
            id: id, name: name, secret: secret, workspace: workspace,
            permissions: Set((json["permissions"]?.array ?? []).compactMap(\.string)),
            allowlist: (json["allowlist"]?.array ?? []).compactMap(\.string),
            createdAt: EpochMilliseconds(json["created_at"]?.integer ?? 0))
        isRevoked = json["revoked"]?.bool == true
    }

    func admits(_ address: String?) -> Bool {
        guard !allowlist.isEmpty else { return true }
        guard let address else { return false }
        return allowlist.contains { APIKey.matches(address, $0) }
    }

    static func matches(_ address: String, _ rule: String) -> Bool {
        if address == rule { return true }
        let parts = rule.split(separator: "/")
        guard parts.count == 2, let bits = Int(parts[1]), (0...32).contains(bits), let network = ipv4(parts[0]),
            let host = ipv4(Substring(address))
        else { return false }
        let mask: UInt32 = bits == 0 ? 0 : ~UInt32(0) << (32 - UInt32(bits))
        return network & mask == host & mask
    }

    /// Whether a rule is an address or an IPv4 network.
    static func isRule(_ rule: String) -> Bool {
        let parts = rule.split(separator: "/", omittingEmptySubsequences: false)
        if parts.count == 1 { return ipv4(parts[0]) != nil || rule.contains(":") }
        return parts.count == 2 && ipv4(parts[0]) != nil && Int(parts[1]).map { (0...32).contains($0) } == true
    }

    private static func ipv4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let byte = UInt8(part) else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return value
    }
}
