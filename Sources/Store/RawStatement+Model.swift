import JSON
import Model

// The model's words in SQLite's columns.

extension RawStatement {
    func bind(_ index: Int32, _ ordinal: ProfileOrdinal) { bind(index, ordinal.rawValue) }
    func bind(_ index: Int32, _ instant: Instant) { bind(index, instant.milliseconds) }
    func bind(_ index: Int32, _ instant: Instant?) { bind(index, instant?.milliseconds) }

    func bind(_ index: Int32, _ json: JSONValue) {
        switch json {
        case .bool(let bool): bind(index, bool ? "true" : "false")
        default: bind(index, utf8: json.utf8)
        }
    }
}

extension RawRow {
    func ordinal(_ column: Int32) -> ProfileOrdinal { ProfileOrdinal(uint32(column)) }
    func instant(_ column: Int32) -> Instant { Instant(milliseconds: int64(column)) }
    func optionalInstant(_ column: Int32) -> Instant? { optionalInt64(column).map { Instant(milliseconds: $0) } }

    func json(_ column: Int32) throws -> JSONValue {
        try withBytes(column) { bytes in
            // Most values are memberships.
            if bytes.elementsEqual("true".utf8) { return .bool(true) }
            if bytes.elementsEqual("false".utf8) { return .bool(false) }
            do {
                return try JSONValue(parsing: bytes)
            } catch {
                throw StoreError.corrupt("a JSON value can't be read back: \(error)")
            }
        }
    }

    func `case`<Value: RawRepresentable>(_ column: Int32, of type: Value.Type) throws -> Value
    where Value.RawValue == String {
        let text = string(column)
        guard let value = Value(rawValue: text) else {
            throw StoreError.corrupt("'\(text)' is no \(Value.self)")
        }
        return value
    }
}

/// Fixed-width numbers in blobs, little-endian.
enum PackedNumbers {
    static func bind<Number: FixedWidthInteger>(_ numbers: [Number], to statement: RawStatement, at index: Int32) {
        let packed = Number(1).littleEndian == 1 ? numbers : numbers.map(\.littleEndian)
        packed.withUnsafeBytes { statement.bind(index, blob: $0) }
    }

    static func read<Number: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, as type: Number.Type) -> [Number] {
        let count = bytes.count / MemoryLayout<Number>.stride
        return (0..<count).map {
            Number(
                littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.stride, as: Number.self))
        }
    }
}
