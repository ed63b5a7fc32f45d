import Model

// What the manifest keeps of everything that is not rows: names, trees of paths, what the catalogue shows.

struct ColumnMetadata: Equatable {
    var key: UInt32
    var parent: Int
    var count: Int
    var types: UInt8
    /// Bits of cells.
    var samples: [UInt64]

    mutating func forget(_ cell: Cell) {
        count -= 1
        samples.removeAll { $0 == cell.bits || cell.kind == .list }
    }
}

struct TableMetadata: Equatable {
    var name: UInt32
    var firstSeen: Int64
    var lastSeen: Int64
    var liveCount: Int
    var valuesOverPathLimit: Int
    var values: [ColumnMetadata]
    var context: [ColumnMetadata]

    mutating func forget(_ cell: Table.Forgotten) {
        switch cell.root {
        case .value: values[cell.column].forget(cell.cell)
        case .context: context[cell.column].forget(cell.cell)
        }
    }
}

/// A History but for its rows and texts, as of a position of the Log.
struct HistoryMetadata: Equatable {
    /// Everything before this offset of the Log is in.
    var position: Int64 = 0
    /// What the Log's owner gave for that position, to know the Log again.
    var mark: UInt64 = 0
    var profileBound: UInt32 = 0
    var tooOld = 0
    var movedToReceipt = 0
    var unreadable = 0
    var events: [TableMetadata] = []
    var traits: [TableMetadata] = []

    /// Takes out what a removed profile had.
    mutating func forget(_ cells: [Table.Forgotten], rows: Int, isTrait: Bool, table: Int) {
        if isTrait {
            guard table < traits.count else { return }
            traits[table].liveCount -= rows
            for cell in cells { traits[table].forget(cell) }
        } else {
            guard table < events.count else { return }
            events[table].liveCount -= rows
            for cell in cells { events[table].forget(cell) }
        }
    }
}

/// The list of live files with what they hold. Replaced whole; the one file that decides.
struct Manifest: Equatable {
    struct File: Equatable {
        var number: Int
        /// Of its directory.
        var checksum: UInt64
        /// Profiles whose rows in this file count no more, ascending.
        var removed: [UInt32] = []
    }

    /// The same in all files of one History.
    var lineage: UInt64
    /// Of the hashes of texts.
    var seed: UInt64
    var nextFile = 1
    /// Ascending by code.
    var texts: [File] = []
    /// Oldest first.
    var runs: [File] = []
    /// Message ids that took effect, oldest first.
    var ids: [File] = []
    /// Whether rows or texts of removed profiles are in the files, or will be with the next flush.
    var holdsRemoved = false
    var metadata = HistoryMetadata()
    /// Rows before them count no more.
    var floors = EventFloors.none
    /// Expired rows that were taken out of the files, but not yet the texts that only they had.
    var unsweptRows = 0
    /// When the first of them was noticed, milliseconds; 0 for not yet.
    var unsweptSince: Int64 = 0

    static let name = "manifest"

    static func path(_ number: Int, _ kind: HistoryFile.Kind, in directory: String) -> String {
        "\(directory)/\(number).\(kind.suffix)"
    }

    // MARK: Files

    func write(in directory: String) throws(HistoryFileError) {
        let path = "\(directory)/\(Manifest.name)"
        _ = try HistoryFile.write(path + ".new", .manifest, lineage: lineage) { _ throws(HistoryFileError) in encoded }
        // Names of the files that it lists first, then its own.
        try HistoryFile.synchroniseDirectory(directory)
        try HistoryFile.rename(path + ".new", to: path)
        try HistoryFile.synchroniseDirectory(directory)
    }

    static func read(in directory: String) throws(HistoryFileError) -> Manifest {
        let path = "\(directory)/\(Manifest.name)"
        let file = try HistoryFile.open(path, .manifest)
        guard let manifest = Manifest(file.directory, lineage: file.lineage) else {
            throw HistoryFileError("\(path) makes no sense")
        }
        return manifest
    }

    private var encoded: [UInt8] {
        var writer = ByteWriter()
        writer.append(seed)
        writer.append(nextFile)
        writer.append(UInt8(holdsRemoved ? 1 : 0))
        for files in [texts, runs, ids] {
            writer.append(files.count)
            for file in files {
                writer.append(file.number)
                writer.append(file.checksum)
                writer.append(file.removed.count)
                for profile in file.removed { writer.append(profile) }
            }
        }
        writer.append(metadata.position)
        writer.append(metadata.mark)
        writer.append(metadata.profileBound)
        writer.append(metadata.tooOld)
        writer.append(metadata.movedToReceipt)
        writer.append(metadata.unreadable)
        for tables in [metadata.events, metadata.traits] {
            writer.append(tables.count)
            for table in tables {
                writer.append(table.name)
                writer.append(table.firstSeen)
                writer.append(table.lastSeen)
                writer.append(table.liveCount)
                writer.append(table.valuesOverPathLimit)
                for columns in [table.values, table.context] {
                    writer.append(columns.count)
                    for column in columns {
                        writer.append(column.key)
                        writer.append(UInt32(column.parent))
                        writer.append(column.count)
                        writer.append(column.types)
                        writer.append(UInt8(column.samples.count))
                        for sample in column.samples { writer.append(sample) }
                    }
                }
            }
        }
        appendRetention(to: &writer)
        return writer.bytes
    }

    /// At the end, and only where there is something: manifests of histories from which nothing expires are as they
    /// always were.
    private func appendRetention(to writer: inout ByteWriter) {
        guard floors != .none || unsweptRows > 0 else { return }
        writer.append(unsweptRows)
        writer.append(unsweptSince)
        writer.append(floors.general.milliseconds)
        writer.append(floors.events.count)
        for (name, floor) in floors.events.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            writer.append(floor.milliseconds)
            writer.append(name.utf8.count)
            for byte in name.utf8 { writer.append(byte) }
        }
    }

    private mutating func readRetention(_ reader: inout ByteReader) {
        guard reader.isValid, reader.hasMore else { return }
        unsweptRows = reader.int()
        unsweptSince = reader.int64()
        let general = Instant(milliseconds: reader.int64())
        let count = reader.count(ofSize: 16)
        var events: [String: Instant] = [:]
        for _ in 0..<count {
            let floor = Instant(milliseconds: reader.int64())
            let length = reader.count(ofSize: 1)
            events[String(decoding: (0..<length).map { _ in reader.uint8() }, as: UTF8.self)] = floor
        }
        floors = EventFloors(general: general, events: events)
    }

    private init?(_ bytes: UnsafeRawBufferPointer, lineage: UInt64) {
        var reader = ByteReader(bytes)
        self.lineage = lineage
        seed = reader.uint64()
        nextFile = reader.int()
        holdsRemoved = reader.uint8() == 1
        for place in [\Manifest.texts, \.runs, \.ids] {
            let count = reader.count(ofSize: 24)
            var files: [File] = []
            for _ in 0..<count {
                var file = File(number: reader.int(), checksum: reader.uint64())
                let removed = reader.count(ofSize: 4)
                for _ in 0..<removed { file.removed.append(reader.uint32()) }
                files.append(file)
            }
            self[keyPath: place] = files
        }
        metadata.position = reader.int64()
        metadata.mark = reader.uint64()
        metadata.profileBound = reader.uint32()
        metadata.tooOld = reader.int()
        metadata.movedToReceipt = reader.int()
        metadata.unreadable = reader.int()
        metadata.events = Manifest.tables(&reader)
        metadata.traits = Manifest.tables(&reader)
        readRetention(&reader)
        guard reader.isValid else { return nil }
    }

    private static func tables(_ reader: inout ByteReader) -> [TableMetadata] {
        let count = reader.count(ofSize: 52)
        return (0..<count).map { _ in
            TableMetadata(
                name: reader.uint32(), firstSeen: reader.int64(), lastSeen: reader.int64(), liveCount: reader.int(),
                valuesOverPathLimit: reader.int(), values: columns(&reader), context: columns(&reader))
        }
    }

    private static func columns(_ reader: inout ByteReader) -> [ColumnMetadata] {
        let count = reader.count(ofSize: 18)
        return (0..<count).map { _ in
            var column = ColumnMetadata(
                key: reader.uint32(), parent: Int(reader.uint32()), count: reader.int(), types: reader.uint8(),
                samples: [])
            for _ in 0..<reader.uint8() { column.samples.append(reader.uint64()) }
            return column
        }
    }

    init(lineage: UInt64, seed: UInt64) {
        self.lineage = lineage
        self.seed = seed
    }
}
