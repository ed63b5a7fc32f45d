/// Why a command was not carried out. The message says what to change.
public struct CommandError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Code: String, Sendable {
        case notFound = "not_found"
        case conflict
        case invalid
    }

    public let code: Code
    /// The member of the request that is at fault, dotted; `nil` for the whole.
    public let field: String?
    public let message: String

    public init(_ code: Code, field: String? = nil, _ message: String) {
        self.code = code
        self.field = field
        self.message = message
    }

    public var description: String { message }
}
