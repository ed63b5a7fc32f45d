#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One immutable file of a History: a header of 64 bytes, sections, and a directory that says what they are.
///
/// All numbers are little-endian.
///
/// | bytes | what |
/// |---|---|
/// | 0–7 | `MUSTERHF` |
/// | 8–11 | format version |
/// | 12–15 | kind |
/// | 16–31 | offset and length of the directory |
/// | 32–39 | checksum of the directory |
/// | 40–47 | length of the file |
/// | 48–55 | the History's own number, the same in all its files |
/// | 56–63 | checksum of the bytes before |
enum HistoryFile {
    static let version: UInt32 = 1
    static let headerSize = 64
    private static let magic: UInt64 = 0x4648_5245_5453_554D

    enum Kind: UInt32 {
        case runs = 1
        case texts = 2
        case manifest = 3
        case ids = 4

        var suffix: String {
            switch self {
            case .runs: "runs"
            case .texts: "texts"
            case .ids: "ids"
            case .manifest: "manifest"
            }
        }
    }

    // MARK: Writing

    /// Writes a file whole and makes it durable; its name is durable when its directory is synchronised.
    /// - Returns: The checksum of the directory, which tells this file from all others.
    static func write(
        _ path: String, _ kind: Kind, lineage: UInt64,
        _ body: (ByteSink) throws(HistoryFileError) -> [UInt8]
    ) throws(HistoryFileError) -> UInt64 {
        let file = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw HistoryFileError("can't create \(path): \(HistoryFileError.reason(errno))") }
        defer { close(file) }
        guard lseek(file, off_t(headerSize), SEEK_SET) == off_t(headerSize) else {
            throw HistoryFileError("can't write \(path): \(HistoryFileError.reason(errno))")
        }
        let sink = ByteSink(file: file, offset: headerSize)
        let directory = try body(sink)
        sink.begin()
        directory.withUnsafeBytes { sink.append($0) }
        let place = try sink.end()
        let header = header(kind, directory: place, length: sink.position, lineage: lineage)
        let written = header.withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, 0) }
        guard written == headerSize else {
            throw HistoryFileError("can't write \(path): \(HistoryFileError.reason(errno))")
        }
        guard fsync(file) == 0 else {
            throw HistoryFileError("can't synchronise \(path): \(HistoryFileError.reason(errno))")
        }
        return place.checksum
    }

    private static func header(_ kind: Kind, directory: SectionPlace, length: Int, lineage: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.append(magic)
        writer.append(version)
        writer.append(kind.rawValue)
        writer.append(UInt64(directory.offset))
        writer.append(UInt64(directory.length))
        writer.append(directory.checksum)
        writer.append(UInt64(length))
        writer.append(lineage)
        writer.append(writer.bytes.withUnsafeBytes { Checksum.block($0) })
        return writer.bytes
    }

    static func synchroniseDirectory(_ path: String) throws(HistoryFileError) {
        let directory = open(path, O_RDONLY | O_CLOEXEC)
        guard directory >= 0 else { throw HistoryFileError("can't open \(path): \(HistoryFileError.reason(errno))") }
        defer { close(directory) }
        guard fsync(directory) == 0 else {
            throw HistoryFileError("can't synchronise \(path): \(HistoryFileError.reason(errno))")
        }
    }

    static func rename(_ old: String, to new: String) throws(HistoryFileError) {
        #if canImport(Glibc)
            let result = Glibc.rename(old, new)
        #else
            let result = Darwin.rename(old, new)
        #endif
        guard result == 0 else {
            throw HistoryFileError("can't rename \(old) to \(new): \(HistoryFileError.reason(errno))")
        }
    }

    /// The names in a directory but for those beginning with a dot; none where there is no directory.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    static func createDirectory(_ path: String) throws(HistoryFileError) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw HistoryFileError("can't create \(path): \(HistoryFileError.reason(errno))")
        }
    }

    static func remove(_ path: String) { unlink(path) }

    // MARK: Reading

    struct Opened {
        let memory: StableBytes
        let directory: UnsafeRawBufferPointer
        let directoryChecksum: UInt64
        let lineage: UInt64
    }

    /// Maps a file and checks its header and directory. Sections are checked when they are touched.
    static func open(_ path: String, _ kind: Kind) throws(HistoryFileError) -> Opened {
        let file = Self.openForReading(path)
        guard file >= 0 else {
            throw HistoryFileError(
                errno == ENOENT ? "\(path) is missing" : "can't open \(path): \(HistoryFileError.reason(errno))")
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else {
            throw HistoryFileError("can't look at \(path): \(HistoryFileError.reason(errno))")
        }
        let size = Int(status.st_size)
        guard size >= headerSize else { throw HistoryFileError("\(path) is cut off: it has \(size) bytes") }
        guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, file, 0), address != MAP_FAILED else {
            throw HistoryFileError("can't map \(path): \(HistoryFileError.reason(errno))")
        }
        let memory = StableBytes(UnsafeRawBufferPointer(start: address, count: size), name: path) { bytes in
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        }
        var reader = ByteReader(memory.bytes)
        let foundMagic = reader.uint64()
        let foundVersion = reader.uint32()
        let foundKind = reader.uint32()
        let offset = reader.int()
        let length = reader.int()
        let checksum = reader.uint64()
        let fileLength = reader.int()
        let lineage = reader.uint64()
        let headerChecksum = reader.uint64()
        guard foundMagic == magic else { throw HistoryFileError("\(path) is no history file") }
        guard headerChecksum == Checksum.block(UnsafeRawBufferPointer(rebasing: memory.bytes[..<56])) else {
            throw HistoryFileError("\(path): the checksum of the header is wrong")
        }
        guard foundVersion == version else {
            throw HistoryFileError("\(path) has format version \(foundVersion); this program reads \(version)")
        }
        guard foundKind == kind.rawValue else { throw HistoryFileError("\(path) is of another kind") }
        guard fileLength == size else {
            throw HistoryFileError("\(path) is cut off: it has \(size) bytes instead of \(fileLength)")
        }
        guard offset >= headerSize, length >= 0, offset <= size, length <= size - offset else {
            throw HistoryFileError("\(path): the directory lies outside of the file")
        }
        let directory = UnsafeRawBufferPointer(rebasing: memory.bytes[offset..<offset + length])
        guard Checksum.section(directory) == checksum else {
            throw HistoryFileError("\(path): the checksum of the directory is wrong")
        }
        return Opened(memory: memory, directory: directory, directoryChecksum: checksum, lineage: lineage)
    }

    private static func openForReading(_ path: String) -> Int32 {
        #if canImport(Glibc)
            Glibc.open(path, O_RDONLY | O_CLOEXEC)
        #else
            Darwin.open(path, O_RDONLY | O_CLOEXEC)
        #endif
    }

    private static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 {
        #if canImport(Glibc)
            Glibc.open(path, flags, mode)
        #else
            Darwin.open(path, flags, mode)
        #endif
    }
}

/// Puts little-endian numbers and texts one after the other.
struct ByteWriter {
    private(set) var bytes: [UInt8] = []

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ value: Int) { append(Int64(value)) }

    mutating func append(_ place: SectionPlace) {
        append(place.offset)
        append(place.length)
        append(place.checksum)
    }
}

/// Reads what `ByteWriter` wrote. Reading past the end gives 0 and makes `isValid` false.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0
    private(set) var isValid = true

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    /// Whether more follows than what fills a section up to a multiple of 8 bytes.
    var hasMore: Bool { bytes.count - position >= 8 }

    private mutating func load<Value: FixedWidthInteger & BitwiseCopyable>(_ type: Value.Type) -> Value {
        let size = MemoryLayout<Value>.size
        guard isValid, bytes.count - position >= size else {
            isValid = false
            return 0
        }
        defer { position += size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    mutating func uint8() -> UInt8 { load(UInt8.self) }
    mutating func uint16() -> UInt16 { load(UInt16.self) }
    mutating func uint32() -> UInt32 { load(UInt32.self) }
    mutating func uint64() -> UInt64 { load(UInt64.self) }
    mutating func int64() -> Int64 { load(Int64.self) }
    mutating func int() -> Int { Int(load(Int64.self)) }

    /// A number of elements that take at least `size` bytes each.
    mutating func count(ofSize size: Int) -> Int {
        let count = int()
        guard isValid, count >= 0, count <= (bytes.count - position) / max(size, 1) else {
            isValid = false
            return 0
        }
        return count
    }

    mutating func place() -> SectionPlace { SectionPlace(offset: int(), length: int(), checksum: uint64()) }
}
