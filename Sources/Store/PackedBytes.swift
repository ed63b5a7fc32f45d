/// Appends numbers and bytes to memory of its own. A class because it owns that memory; never shared between threads.
final class PackWriter {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 4096) {
        self.capacity = max(capacity, 64)
        base = UnsafeMutableRawPointer.allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { base.deallocate() }

    func removeAll() { count = 0 }

    /// Everything written so far.
    var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: base, count: count)) }

    /// Makes room: the functions below that store numbers rely on it.
    func reserve(_ more: Int) {
        guard count + more > capacity else { return }
        capacity = max(capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: base, byteCount: count)
        base.deallocate()
        base = larger
    }

    func put(_ number: some FixedWidthInteger) {
        reserve(16)
        base.storeBytes(of: number.littleEndian, toByteOffset: count, as: type(of: number).self)
        count += number.bitWidth / 8
    }

    /// Seven bits a byte, small numbers first.
    func put(varint number: UInt64) {
        reserve(16)
        var rest = number
        while rest >= 0x80 {
            base.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            count += 1
            rest >>= 7
        }
        base.storeBytes(of: UInt8(rest), toByteOffset: count, as: UInt8.self)
        count += 1
    }

    func put(zigzag number: Int64) { put(varint: UInt64(bitPattern: number << 1 ^ number >> 63)) }

    func put(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
        reserve(bytes.count)
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count += bytes.count
    }

    func put(text: String) {
        var text = text
        text.withUTF8 { put(UnsafeRawBufferPointer($0)) }
    }

    /// Writes a length over the four bytes at a place.
    func patch(_ number: UInt32, at place: Int) {
        base.storeBytes(of: number.littleEndian, toByteOffset: place, as: UInt32.self)
    }

    /// What stands between a place and the end gets its length, two bytes that were put before it.
    /// Lengths from 65,535 on do not fit there and take four more.
    func closeEntry(openedAt place: Int) {
        let length = count - place - 2
        if length < 0xFFFF {
            base.storeBytes(of: UInt16(length).littleEndian, toByteOffset: place, as: UInt16.self)
            return
        }
        reserve(4)
        (base + place + 6).copyMemory(from: base + place + 2, byteCount: length)
        base.storeBytes(of: UInt16.max, toByteOffset: place, as: UInt16.self)
        patch(UInt32(length), at: place + 2)
        count += 4
    }
}

/// Reads what `PackWriter` wrote. Damage throws; it never reads outside of its bytes.
struct PackReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var place: Int
    let end: Int

    init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
        self.bytes = bytes
        place = range.lowerBound
        end = range.upperBound
    }

    private static let damage = StoreError.corrupt("a packed row can't be read back")

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(StoreError) -> Number {
        guard end - place >= Number.bitWidth / 8 else { throw Self.damage }
        defer { place += Number.bitWidth / 8 }
        return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: Number.self))
    }

    mutating func varint() throws(StoreError) -> UInt64 {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while place < end, shift < 64 {
            let byte = bytes[place]
            place += 1
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return number }
            shift += 7
        }
        throw Self.damage
    }

    mutating func zigzag() throws(StoreError) -> Int64 {
        let number = try varint()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    mutating func take(_ count: Int) throws(StoreError) -> UnsafeRawBufferPointer {
        guard count >= 0, end - place >= count else { throw Self.damage }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])
    }

    mutating func rest() -> UnsafeRawBufferPointer {
        defer { place = end }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<end])
    }
}
