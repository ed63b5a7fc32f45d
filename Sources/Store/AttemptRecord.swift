import GRDB
import Model

/// What one attempt meant for each of its emissions, packed into one row's blob: a row and four indices per emission were
/// the larger part of what delivery wrote. Reading by profile goes through the blobs, which are short and few
/// (`Retention.attempts`): ordinals stand first, so most are passed over after some dozens of bytes.
///
/// Layout, all numbers as varints: version 1, count, `at` (zigzag), the ordinals (zigzag differences), the texts (count,
/// then length and UTF-8 of each), then per emission: kind, outcome, place of the computation's id and of the detail among
/// the texts, length and UTF-8 of the message id. The ids of its emissions are `attempt << 16 | place`: ascending in the
/// order of recording, also beyond those that rows once had.
struct AttemptRecord {
    static let placeBits: Int64 = 16
    /// More emissions than a request ever holds.
    static let capacity = 1 << Int(placeBits)

    // MARK: Writing

    static func encode(_ rows: [AttemptEmissionRow]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32 + rows.count * 48)
        bytes.append(1)
        append(UInt64(rows.count), to: &bytes)
        append(signed: rows.first?.at.milliseconds ?? 0, to: &bytes)
        var last: Int64 = 0
        for row in rows {
            append(signed: Int64(row.profile.rawValue) - last, to: &bytes)
            last = Int64(row.profile.rawValue)
        }
        // Few, and mostly like the one before.
        var texts: [String] = []
        var places: [String: UInt64] = [:]
        func place(of text: String) -> UInt64 {
            if let place = places[text] { return place }
            texts.append(text)
            places[text] = UInt64(texts.count - 1)
            return UInt64(texts.count - 1)
        }
        var body: [UInt8] = []
        body.reserveCapacity(rows.count * 44)
        var (lastID, lastIDPlace) = ("", UInt64.max)
        var (lastDetail, lastDetailPlace) = ("", UInt64.max)
        for row in rows {
            if lastIDPlace == .max || row.computationID != lastID {
                (lastID, lastIDPlace) = (row.computationID, place(of: row.computationID))
            }
            if lastDetailPlace == .max || row.detail != lastDetail {
                (lastDetail, lastDetailPlace) = (row.detail, place(of: row.detail))
            }
            body.append(code(row.kind))
            body.append(code(row.outcome))
            append(lastIDPlace, to: &body)
            append(lastDetailPlace, to: &body)
            append(row.messageID, to: &body)
        }
        append(UInt64(texts.count), to: &bytes)
        for text in texts { append(text, to: &bytes) }
        bytes += body
        return bytes
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var number = number
        while number >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: number) | 0x80)
            number >>= 7
        }
        bytes.append(UInt8(number))
    }

    private static func append(signed number: Int64, to bytes: inout [UInt8]) {
        append(UInt64(bitPattern: (number << 1) ^ (number >> 63)), to: &bytes)
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { utf8 in
            append(UInt64(utf8.count), to: &bytes)
            bytes.append(contentsOf: utf8)
        }
    }

    private static let kinds = Emission.Kind.allCases
    private static let outcomes = AttemptEmissionRow.Outcome.allCases
    private static func code(_ kind: Emission.Kind) -> UInt8 { UInt8(kinds.firstIndex(of: kind) ?? 0) }
    private static func code(_ outcome: AttemptEmissionRow.Outcome) -> UInt8 {
        UInt8(outcomes.firstIndex(of: outcome) ?? 0)
    }

    // MARK: Reading

    /// Whether it holds an emission of any of these numbers, without reading the rest.
    static func holds(_ ordinals: Set<UInt32>, _ blob: UnsafeRawBufferPointer) -> Bool {
        var reader = Reader(blob)
        guard let head = reader.head() else { return false }
        var last: Int64 = 0
        for _ in 0..<head.count {
            last += reader.signed()
            if ordinals.contains(UInt32(truncatingIfNeeded: last)) { return true }
        }
        return false
    }

    static func decode(_ blob: UnsafeRawBufferPointer, attempt: Int64, destinationID: String) -> [AttemptEmissionRow] {
        var reader = Reader(blob)
        guard let (count, at) = reader.head() else { return [] }
        var ordinals: [UInt32] = []
        ordinals.reserveCapacity(count)
        var last: Int64 = 0
        for _ in 0..<count {
            last += reader.signed()
            ordinals.append(UInt32(truncatingIfNeeded: last))
        }
        let texts = (0..<reader.number()).map { _ in reader.text() }
        func text(_ place: UInt64) -> String { place < UInt64(texts.count) ? texts[Int(place)] : "" }
        var rows: [AttemptEmissionRow] = []
        rows.reserveCapacity(count)
        for (place, ordinal) in ordinals.enumerated() {
            let (kind, outcome) = (Int(reader.byte()), Int(reader.byte()))
            let (computation, detail) = (reader.number(), reader.number())
            guard !reader.isBroken, kinds.indices.contains(kind), outcomes.indices.contains(outcome) else { break }
            rows.append(
                AttemptEmissionRow(
                    id: attempt << placeBits | Int64(place), attemptID: attempt, destinationID: destinationID,
                    messageID: reader.text(), profile: ProfileOrdinal(ordinal), computationID: text(computation),
                    kind: kinds[kind], at: Instant(milliseconds: at), outcome: outcomes[outcome], detail: text(detail)))
        }
        return rows
    }

    private struct Reader {
        private var rest: Slice<UnsafeRawBufferPointer>
        var isBroken = false

        init(_ blob: UnsafeRawBufferPointer) { rest = blob[...] }

        mutating func head() -> (count: Int, at: Int64)? {
            guard byte() == 1 else { return nil }
            let count = number()
            let at = signed()
            guard !isBroken, count <= UInt64(capacity), count <= UInt64(rest.count) else { return nil }
            return (Int(count), at)
        }

        mutating func byte() -> UInt8 {
            guard let byte = rest.popFirst() else {
                isBroken = true
                return 0
            }
            return byte
        }

        mutating func number() -> UInt64 {
            var (number, shift): (UInt64, UInt64) = (0, 0)
            while shift < 64 {
                let byte = byte()
                number |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return number }
                shift += 7
            }
            isBroken = true
            return 0
        }

        mutating func signed() -> Int64 {
            let number = number()
            return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
        }

        mutating func text() -> String {
            let length = number()
            guard length <= UInt64(rest.count) else {
                isBroken = true
                return ""
            }
            let bytes = rest.prefix(Int(length))
            rest = rest.dropFirst(Int(length))
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}

extension AttemptRecord {
    /// Packs what older versions kept as rows.
    static func replaceRows(_ db: Database) throws {
        try db.execute(
            sql: """
                CREATE TABLE attempt_records (
                    attempt INTEGER PRIMARY KEY, destination INTEGER NOT NULL, emissions BLOB NOT NULL);
                """)
        let insert = try RawStatement(db, "INSERT INTO attempt_records VALUES (?, ?, ?)")
        var (attempt, destination): (Int64, Int64) = (0, 0)
        var rows: [AttemptEmissionRow] = []
        func write() throws {
            guard !rows.isEmpty else { return }
            insert.bind(1, attempt)
            insert.bind(2, destination)
            encode(rows).withUnsafeBytes { insert.bind(3, blob: $0) }
            try insert.run()
            rows = []
        }
        try RawStatement(
            db,
            """
            SELECT attempt, destination, message_id, ordinal, computation_id, kind, at, outcome, detail
            FROM attempt_emissions ORDER BY attempt, id
            """
        ).forEach { row in
            if row.int64(0) != attempt { try write() }
            (attempt, destination) = (row.int64(0), row.int64(1))
            guard rows.count < capacity else { return }
            rows.append(
                AttemptEmissionRow(
                    destinationID: "", messageID: row.string(2), profile: row.ordinal(3), computationID: row.string(4),
                    kind: try row.case(5, of: Emission.Kind.self), at: row.instant(6),
                    outcome: try row.case(7, of: AttemptEmissionRow.Outcome.self), detail: row.string(8)))
        }
        try write()
        try db.execute(sql: "DROP TABLE attempt_emissions")
    }
}
