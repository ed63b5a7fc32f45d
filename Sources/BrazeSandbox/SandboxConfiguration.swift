import Foundation

/// How a sandbox starts.
public struct SandboxConfiguration: Sendable {
    /// A REST API key that exists from the start.
    public struct Key: Sendable {
        public var name: String
        public var secret: String
        /// Permission strings such as `users.track`; `nil`: all.
        public var permissions: [String]?
        /// Source addresses or IPv4 networks; empty: any.
        public var allowlist: [String]
        /// Workspace id, created if new; `nil`: the first workspace.
        public var workspace: String?

        public init(
            name: String = "Default", secret: String, permissions: [String]? = nil, allowlist: [String] = [],
            workspace: String? = nil
        ) {
            self.name = name
            self.secret = secret
            self.permissions = permissions
            self.allowlist = allowlist
            self.workspace = workspace
        }
    }

    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 7701
    /// Where users and settings survive a restart; `nil` keeps everything in memory.
    public var dataDirectory: String?
    /// The journal in the data directory is replaced by a snapshot when it is longer than this.
    public var compactionBytes = 64 << 20
    /// Keys that are created if no key with the secret exists.
    public var keys: [Key] = [Key(secret: SandboxConfiguration.defaultKey)]
    /// Behaviour at the first start; afterwards the stored switches hold.
    public var switches = SandboxSwitches()
    /// Milliseconds since the epoch.
    public var clock: @Sendable () -> EpochMilliseconds = { EpochMilliseconds(Date().timeIntervalSince1970 * 1000) }
    /// Makes ids, faults and shuffles repeatable.
    public var seed: UInt64 = 1

    /// The key of a sandbox that was given none. Not a secret: the sandbox holds play data and listens locally.
    public static let defaultKey = "sandbox-rest-api-key"

    public init() {}
}
