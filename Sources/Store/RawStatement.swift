import GRDB
import GRDBSQLite

/// A cached prepared statement, bound and stepped through SQLite's own functions: GRDB's arguments and rows box every
/// value, which the writing of batches and the loading of whole tables would notice.
///
/// Valid only within the database access that made it.
struct RawStatement {
    private let handle: OpaquePointer
    private let database: OpaquePointer
    private let statement: Statement

    init(_ db: Database, _ sql: String) throws {
        statement = try db.cachedStatement(sql: sql)
        handle = statement.sqliteStatement
        guard let connection = db.sqliteConnection else { throw StoreError.closed }
        database = connection
    }

    /// For SQL whose text varies from call to call.
    init(uncached sql: String, _ db: Database) throws {
        statement = try db.makeStatement(sql: sql)
        handle = statement.sqliteStatement
        guard let connection = db.sqliteConnection else { throw StoreError.closed }
        database = connection
    }

    // MARK: Binding; indexes count from 1

    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }
    func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }
    func bind(_ index: Int32, _ value: UInt32) { sqlite3_bind_int64(handle, index, Int64(value)) }
    func bind(_ index: Int32, _ value: Bool) { sqlite3_bind_int64(handle, index, value ? 1 : 0) }
    func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    func bind(_ index: Int32, _ value: Int64?) {
        if let value { bind(index, value) } else { bindNull(index) }
    }

    func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bind(index, text: $0) }
    }

    func bind(_ index: Int32, _ text: String?) {
        if let text { bind(index, text) } else { bindNull(index) }
    }

    /// UTF-8 as text.
    func bind(_ index: Int32, utf8: [UInt8]) { utf8.withUnsafeBufferPointer { bind(index, text: $0) } }

    func bind(_ index: Int32, blob: UnsafeRawBufferPointer) {
        if blob.isEmpty {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            sqlite3_bind_blob64(handle, index, blob.baseAddress, UInt64(blob.count), Self.transient)
        }
    }

    private func bind(_ index: Int32, text: UnsafeBufferPointer<UInt8>) {
        // A nil pointer would bind NULL; empty buffers may have one.
        text.withMemoryRebound(to: CChar.self) { characters in
            if let start = characters.baseAddress {
                _ = sqlite3_bind_text64(
                    handle, index, start, UInt64(characters.count), Self.transient, UInt8(SQLITE_UTF8))
            } else {
                _ = sqlite3_bind_text64(handle, index, "", 0, Self.transient, UInt8(SQLITE_UTF8))
            }
        }
    }

    /// Makes SQLite copy what is bound (SQLITE_TRANSIENT, a macro that Swift does not import).
    private static var transient: sqlite3_destructor_type { unsafeBitCast(-1, to: sqlite3_destructor_type.self) }

    // MARK: Running

    /// Runs a statement that returns no rows. Returns how many rows it changed.
    @discardableResult
    func run() throws -> Int {
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: continue
            case SQLITE_DONE:
                sqlite3_reset(handle)
                return Int(sqlite3_changes(database))
            case let code: throw failure(code)
            }
        }
    }

    func forEach(_ body: (RawRow) throws -> Void) throws {
        defer { sqlite3_reset(handle) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: try body(RawRow(handle: handle))
            case SQLITE_DONE: return
            case let code: throw failure(code)
            }
        }
    }

    /// Until the body says false.
    func walk(_ body: (RawRow) throws -> Bool) throws {
        defer { sqlite3_reset(handle) }
        while true {
            switch sqlite3_step(handle) {
            case SQLITE_ROW: guard try body(RawRow(handle: handle)) else { return }
            case SQLITE_DONE: return
            case let code: throw failure(code)
            }
        }
    }

    func first<Value>(_ body: (RawRow) throws -> Value) throws -> Value? {
        defer { sqlite3_reset(handle) }
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return try body(RawRow(handle: handle))
        case SQLITE_DONE: return nil
        case let code: throw failure(code)
        }
    }

    func all<Value>(_ body: (RawRow) throws -> Value) throws -> [Value] {
        var values: [Value] = []
        try forEach { values.append(try body($0)) }
        return values
    }

    private func failure(_ code: Int32) -> DatabaseError {
        // Read before the reset, which clears it. The SQL is named, its values are not.
        let message = String(cString: sqlite3_errmsg(database))
        let extended = sqlite3_extended_errcode(database)
        sqlite3_reset(handle)
        return DatabaseError(
            resultCode: ResultCode(rawValue: extended == 0 ? code : extended), message: message, sql: statement.sql)
    }
}

/// The current row of a running statement; columns count from 0.
struct RawRow {
    fileprivate let handle: OpaquePointer

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }
    func int64(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }
    func int(_ column: Int32) -> Int { Int(sqlite3_column_int64(handle, column)) }
    func uint32(_ column: Int32) -> UInt32 { UInt32(truncatingIfNeeded: sqlite3_column_int64(handle, column)) }
    func optionalInt64(_ column: Int32) -> Int64? { isNull(column) ? nil : int64(column) }

    /// Calls the body with the bytes of a text or blob, which live until the next step.
    func withBytes<Value>(_ column: Int32, _ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        let start = sqlite3_column_blob(handle, column)
        let count = Int(sqlite3_column_bytes(handle, column))
        return try body(UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
    }

    /// Whether a text is this one, without making a string of it.
    func isText(_ column: Int32, _ text: String) -> Bool {
        var text = text
        return text.withUTF8 { utf8 in withBytes(column) { $0.elementsEqual(utf8) } }
    }

    func string(_ column: Int32) -> String { withBytes(column) { String(decoding: $0, as: UTF8.self) } }
    func optionalString(_ column: Int32) -> String? { isNull(column) ? nil : string(column) }
    func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { Array($0) } }
}
