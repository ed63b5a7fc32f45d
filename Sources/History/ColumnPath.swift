/// A path into JSON as columns know it.
public struct ColumnPath: Sendable, Hashable {
    public enum Component: Sendable, Hashable {
        /// A member of an object.
        case key(String)
        /// Each element of an array.
        case elements
    }

    public var components: [Component]

    public init(_ components: [Component]) { self.components = components }
}
