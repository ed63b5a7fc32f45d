import Synchronization

/// What was found to be wrong with the files of a History. Set once and never taken back: whoever reads must ask it
/// before an answer leaves.
public final class DamageReport: Sendable {
    private let isSet = Atomic<Bool>(false)
    private let text = Mutex<String?>(nil)

    init() {}

    /// In words, with the file; `nil` as long as everything was as it was written.
    public var found: String? { isSet.load(ordering: .acquiring) ? text.withLock { $0 } : nil }

    func report(_ what: String) {
        text.withLock { if $0 == nil { $0 = what } }
        isSet.store(true, ordering: .releasing)
    }
}

/// Memory that runs point into: a mapped file, or bytes that were put together.
///
/// Sendable although it holds a pointer: the bytes are written before `init` returns and never after.
final class StableBytes: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    let name: String
    private let release: (UnsafeRawBufferPointer) -> Void

    init(_ bytes: UnsafeRawBufferPointer, name: String, release: @escaping (UnsafeRawBufferPointer) -> Void) {
        self.bytes = bytes
        self.name = name
        self.release = release
    }

    deinit { release(bytes) }
}

/// A part of a file with a checksum, looked at when it is first touched.
///
/// Sendable although it holds a pointer: the bytes are immutable and kept in place by `owner`.
final class CheckedSection: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer
    private let owner: StableBytes
    private let checksum: UInt64
    private let damage: DamageReport
    private let isVerified: Atomic<Bool>

    /// - Parameter checksum: `nil` for memory that was never on disk.
    init(_ owner: StableBytes, _ range: Range<Int>, checksum: UInt64?, _ damage: DamageReport) {
        self.owner = owner
        bytes = UnsafeRawBufferPointer(rebasing: owner.bytes[range])
        self.checksum = checksum ?? 0
        self.damage = damage
        isVerified = Atomic(checksum == nil)
    }

    /// Whether the bytes are what was written. Looks once; says so in the report if they are not.
    var isSound: Bool { isVerified.load(ordering: .relaxed) || verify() }

    private func verify() -> Bool {
        guard Checksum.section(bytes) == checksum else {
            damage.report("\(owner.name): the checksum of a section is wrong")
            return false
        }
        isVerified.store(true, ordering: .relaxed)
        return true
    }
}
