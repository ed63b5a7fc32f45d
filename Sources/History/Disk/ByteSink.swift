import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Takes bytes in sections, with a checksum of each, into a file or into memory.
final class ByteSink {
    private let block = UnsafeMutableRawPointer.allocate(byteCount: Checksum.blockSize, alignment: 64)
    private var used = 0
    private let file: Int32?
    private var memory: UnsafeMutableRawBufferPointer
    private var written: Int
    private var sectionStart = 0
    private var sum: UInt64 = 0
    private var failure: Int32 = 0
    /// Checksums of the blocks of the section at hand.
    private(set) var blocks: [UInt64] = []
    /// Whether what is being written is still wanted.
    var cancellation: HistoryCancellation?

    /// Writes to a file from an offset on that is a multiple of 8.
    init(file: Int32, offset: Int) {
        self.file = file
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        written = offset
    }

    /// Keeps everything.
    init() {
        file = nil
        memory = .allocate(byteCount: 1 << 12, alignment: 64)
        written = 0
    }

    deinit {
        block.deallocate()
        memory.deallocate()
    }

    func begin() {
        sectionStart = written
        used = 0
        sum = 0x51ED_270B
        blocks.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    func append<Value: BitwiseCopyable>(_ value: Value) {
        let size = MemoryLayout<Value>.size
        if used + size > Checksum.blockSize { return appendSplit(value) }
        block.storeBytes(of: value, toByteOffset: used, as: Value.self)
        used += size
    }

    private func appendSplit<Value: BitwiseCopyable>(_ value: Value) {
        withUnsafeBytes(of: value) { append($0) }
    }

    func append(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if used == Checksum.blockSize { flush() }
            let count = min(rest.count, Checksum.blockSize - used)
            UnsafeMutableRawBufferPointer(start: block + used, count: count)
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
            used += count
            rest = rest.dropFirst(count)
        }
    }

    /// Up to a multiple of 8 bytes from the section's start.
    func pad() {
        while (written - sectionStart + used) % 8 != 0 { append(UInt8(0)) }
    }

    private func flush() {
        let checksum = Checksum.block(UnsafeRawBufferPointer(start: block, count: used))
        blocks.append(checksum)
        sum = Checksum.fold(sum, checksum)
        if let file {
            var done = 0
            while done < used, failure == 0 {
                let count = write(file, block + done, used - done)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { failure = errno == 0 ? EIO : errno } else { done += count }
            }
        } else {
            if written + used > memory.count {
                let larger = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: max(memory.count * 2, written + used), alignment: 64)
                larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<written]))
                memory.deallocate()
                memory = larger
            }
            UnsafeMutableRawBufferPointer(rebasing: memory[written..<written + used])
                .copyMemory(from: UnsafeRawBufferPointer(start: block, count: used))
        }
        written += used
        used = 0
    }

    /// Ends the section at a multiple of 8 bytes.
    func end() throws(HistoryFileError) -> SectionPlace {
        pad()
        if used > 0 { flush() }
        if cancellation?.isCancelled == true { throw HistoryFileError("writing was given up") }
        if failure != 0 { throw HistoryFileError("writing failed: \(HistoryFileError.reason(failure))") }
        return SectionPlace(offset: sectionStart, length: written - sectionStart, checksum: sum)
    }

    var position: Int { written }

    /// The memory, which is the receiver's from now on.
    func takeMemory(name: String) -> StableBytes {
        let taken = memory
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        return StableBytes(UnsafeRawBufferPointer(rebasing: taken[..<written]), name: name) { _ in taken.deallocate() }
    }
}

/// Why a file of a History can't be read or written.
public struct HistoryFileError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }

    static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// Tells long work that nobody waits for it any more.
public final class HistoryCancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    public init() {}

    public func cancel() { flag.store(true, ordering: .relaxed) }
    public var isCancelled: Bool { flag.load(ordering: .relaxed) }
}
