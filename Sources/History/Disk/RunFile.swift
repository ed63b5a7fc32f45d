/// A file with the runs of many tables: what one flush or one merge wrote.
enum RunFile {
    /// Writes runs; tables without rows are left out.
    /// - Parameter runs: Encodes one run after the other into the sink.
    static func write(
        _ path: String, lineage: UInt64,
        _ runs: (ByteSink) throws(HistoryFileError) -> [RunDescriptor]
    ) throws(HistoryFileError) -> UInt64 {
        try HistoryFile.write(path, .runs, lineage: lineage) { sink throws(HistoryFileError) in
            let descriptors = try runs(sink)
            var writer = ByteWriter()
            writer.append(descriptors.count)
            for run in descriptors { append(run, to: &writer) }
            return writer.bytes
        }
    }

    /// Opens a file; `checksum` is what the manifest says its directory has.
    static func open(
        _ path: String, number: Int, checksum: UInt64, lineage: UInt64, _ damage: DamageReport
    ) throws(HistoryFileError) -> [Run] {
        let file = try HistoryFile.open(path, .runs)
        guard file.directoryChecksum == checksum, file.lineage == lineage else {
            throw HistoryFileError("\(path) is not the file that the manifest names")
        }
        var reader = ByteReader(file.directory)
        let count = reader.count(ofSize: 60)
        var runs: [Run] = []
        for _ in 0..<count {
            guard let descriptor = descriptor(&reader), reader.isValid,
                let run = Run(descriptor, in: file.memory, file: number, damage)
            else { throw HistoryFileError("\(path): the directory makes no sense") }
            runs.append(run)
        }
        guard reader.isValid else { throw HistoryFileError("\(path): the directory makes no sense") }
        return runs
    }

    private static func append(_ run: RunDescriptor, to writer: inout ByteWriter) {
        writer.append(UInt8(run.isTrait ? 1 : 0))
        writer.append(UInt8(run.hasTextIDs ? 1 : 0))
        writer.append(run.table)
        writer.append(run.rowCount)
        writer.append(run.profileCount)
        writer.append(run.earliest)
        writer.append(run.latest)
        writer.append(run.core)
        writer.append(run.envelope)
        writer.append(run.identifiers)
        for form in run.integers {
            writer.append(UInt8(form.width))
            writer.append(form.base)
        }
        writer.append(run.columns.count)
        for column in run.columns {
            writer.append(UInt8(column.root))
            writer.append(UInt32(column.number))
            writer.append(column.encoding.rawValue)
            writer.append(column.codedKind.rawValue)
            writer.append(column.kinds)
            writer.append(column.valueCount)
            writer.append(column.dictionaryCount)
            writer.append(column.place)
        }
    }

    private static func descriptor(_ reader: inout ByteReader) -> RunDescriptor? {
        var run = RunDescriptor()
        run.isTrait = reader.uint8() == 1
        run.hasTextIDs = reader.uint8() == 1
        run.table = reader.uint32()
        run.rowCount = reader.int()
        run.profileCount = reader.int()
        run.earliest = reader.int64()
        run.latest = reader.int64()
        run.core = reader.place()
        run.envelope = reader.place()
        run.identifiers = reader.place()
        for _ in EnvelopeField.allCases {
            run.integers.append(RunDescriptor.Integers(width: Int(reader.uint8()), base: reader.int64()))
        }
        let count = reader.count(ofSize: 49)
        for _ in 0..<count {
            var column = RunDescriptor.Column()
            column.root = Int(reader.uint8())
            column.number = Int(reader.uint32())
            guard let encoding = RunColumn.Encoding(rawValue: reader.uint8()),
                let kind = Cell.Kind(rawValue: reader.uint8())
            else { return nil }
            column.encoding = encoding
            column.codedKind = kind
            column.kinds = reader.uint16()
            column.valueCount = reader.int()
            column.dictionaryCount = reader.int()
            column.place = reader.place()
            guard column.valueCount >= 0, column.dictionaryCount >= 0, column.valueCount <= run.rowCount,
                column.dictionaryCount <= max(run.rowCount, 1)
            else { return nil }
            run.columns.append(column)
        }
        guard run.rowCount >= 0, run.profileCount >= 0 else { return nil }
        return run
    }
}
