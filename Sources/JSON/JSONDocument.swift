/// A JSON text with a flat tape over it: which value stands where, without a tree.
///
/// Reading is strict (RFC 8259, valid UTF-8, nesting at most 128) and costs about as much as copying the text. Values are
/// decoded when they are asked for, through `JSONView`; spans that are only stored are never decoded at all.
/// Agrees with `JSONValue(parsing:)` about which texts are JSON.
public final class JSONDocument: Sendable {
    public let bytes: [UInt8]
    /// How many bare `NaN`, `Infinity` and `-Infinity` were read as null; 0 unless the reader was told to.
    public let nonFiniteCount: Int
    /// Strings that hold `\u0000` or a lone surrogate as an escape: they decode without it (spec: collection §1.6-6), so
    /// the text is not stored as it came.
    let unstorableCount: Int
    let nodes: [JSONNode]

    /// Reads one value that fills the text; a byte order mark in front is skipped.
    ///
    /// `readsNonFiniteAsNull` accepts the three words that Python writes for floats that JSON can't express
    /// (spec: collection §1.6-5).
    public init(
        parsing bytes: [UInt8], maximumDepth: Int = 128, readsNonFiniteAsNull: Bool = false
    ) throws(JSONError) {
        guard bytes.count < Int(UInt32.max) else { throw JSONError(offset: 0, message: "text of 4 GiB or more") }
        self.bytes = bytes
        var scan = JSONScan()
        var outcome = JSONScan.Outcome.failed
        // Real events have a node every 12 bytes or so; texts that are denser are scanned again with room for anything.
        let guess = bytes.count / 6 + 16
        var nodes: [JSONNode] = []
        let room = JSONScan.capacityMax(byteCount: bytes.count, depthMax: maximumDepth)
        for capacity in [min(guess, room), room] {
            scan = JSONScan()
            nodes = [JSONNode](unsafeUninitializedCapacity: capacity) { buffer, initialized in
                outcome = bytes.withUnsafeBufferPointer { text in
                    guard let base = text.baseAddress, let tape = buffer.baseAddress else {
                        scan.failure = "expected a value, found the end"
                        return .failed
                    }
                    return scanJSON(
                        base, count: text.count, depthMax: maximumDepth, readsNonFinite: readsNonFiniteAsNull,
                        nodes: tape, capacity: capacity, scan: &scan)
                }
                initialized = scan.nodeCount
            }
            if outcome != .tapeFull { break }
        }
        guard outcome == .whole else {
            throw JSONError(offset: scan.failureOffset, message: scan.failure.description)
        }
        self.nodes = nodes
        self.nonFiniteCount = scan.nonFiniteCount
        self.unstorableCount = scan.unstorableCount
    }

    public convenience init(parsing text: String) throws(JSONError) {
        try self.init(parsing: Array(text.utf8))
    }

    /// The value that fills the text.
    public var root: JSONView { JSONView(document: self, index: 0) }

    /// Whether the text may be stored as it came: no bare NaN, no `\u0000`, no lone surrogate.
    public var isVerbatim: Bool { nonFiniteCount == 0 && unstorableCount == 0 }
}
