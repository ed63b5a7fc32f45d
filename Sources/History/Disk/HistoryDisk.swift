/// The files of one History and what is going on with them.
struct HistoryDisk {
    let directory: String
    /// What the manifest on disk says, or will say with the next change.
    var manifest: Manifest
    var isFlushing = false
    var isMerging = false
    /// Whether the manifest in memory knows of removals or floors that the one on disk does not.
    var hasUnwrittenRemovals = false
    /// Whether profiles were removed, or fresh rows expired, since the last flush was begun.
    var hasFreshRemovals = false
    /// What the manifest will say of everything but files when the frozen rows are on disk.
    var frozen: HistoryMetadata?
    /// Rows on disk, removed ones included, by file.
    var rowCounts: [Int: Int] = [:]
    /// The ids of `manifest.ids`.
    var ids: [IDSegment] = []
}

/// What can be told about the files of a History.
public struct HistoryDiskStatistics: Sendable, Hashable {
    /// Offset of the Log before which everything is on disk.
    public var position: Int64
    /// Rows on disk; a trait that is set is a row too.
    public var storedRows: Int
    /// Rows in memory only, those that are being written included.
    public var freshRows: Int
    public var runFiles: Int
    public var textFiles: Int
    public var isFlushing: Bool
    public var isMerging: Bool
}

extension History {
    /// Opens the files in a directory, making it if need be; empty where there are none.
    ///
    /// Opening looks at the manifest and at each file's header and directory, which takes no longer for more rows.
    /// Everything else is checked when it is first touched, see `damage`.
    /// - Throws: What is wrong. Then delete the files with `discardFiles(in:)`, and insert everything again.
    public convenience init(directory: String) throws(HistoryFileError) {
        self.init()
        try HistoryFile.createDirectory(directory)
        let names = HistoryFile.names(in: directory)
        guard names.contains(Manifest.name) else {
            // Files without a manifest are what a first flush left that did not come to its end.
            for name in names { HistoryFile.remove("\(directory)/\(name)") }
            let manifest = Manifest(lineage: .random(in: 1 ... .max), seed: store.values.strings.seed)
            disk = HistoryDisk(directory: directory, manifest: manifest)
            return
        }
        let manifest = try Manifest.read(in: directory)
        var disk = HistoryDisk(directory: directory, manifest: manifest)
        try open(manifest, &disk)
        var live: Set<String> = [Manifest.name]
        for file in manifest.texts { live.insert("\(file.number).texts") }
        for file in manifest.runs { live.insert("\(file.number).runs") }
        for file in manifest.ids { live.insert("\(file.number).ids") }
        for name in names where !live.contains(name) { HistoryFile.remove("\(directory)/\(name)") }
        self.disk = disk
    }

    /// Deletes the files of a History; the directory stays.
    public static func discardFiles(in directory: String) {
        for name in HistoryFile.names(in: directory) { HistoryFile.remove("\(directory)/\(name)") }
    }

    private func open(_ manifest: Manifest, _ disk: inout HistoryDisk) throws(HistoryFileError) {
        let nonsense = HistoryFileError("\(disk.directory)/\(Manifest.name) makes no sense")
        var segments: [TextSegment] = []
        for file in manifest.texts {
            let segment = try TextSegment(
                Manifest.path(file.number, .texts, in: disk.directory), checksum: file.checksum,
                lineage: manifest.lineage, report)
            guard segment.first == segments.last?.end ?? 0 else { throw nonsense }
            segments.append(segment)
        }
        store.values.strings.open(segments, seed: manifest.seed)
        let metadata = manifest.metadata
        guard var events = NamedTables(keepsObjects: false, metadata.events, store),
            let traits = NamedTables(keepsObjects: true, metadata.traits, store)
        else { throw nonsense }
        events.raiseFloors(to: manifest.floors, store)
        (self.events, self.traits) = (events, traits)
        (tooOld, movedToReceipt, unreadable) = (metadata.tooOld, metadata.movedToReceipt, metadata.unreadable)
        storedBound = metadata.profileBound
        for file in manifest.ids {
            disk.ids.append(
                try IDSegment(
                    Manifest.path(file.number, .ids, in: disk.directory), checksum: file.checksum,
                    lineage: manifest.lineage, report))
        }
        for file in manifest.runs {
            let runs = try RunFile.open(
                Manifest.path(file.number, .runs, in: disk.directory), number: file.number, checksum: file.checksum,
                lineage: manifest.lineage, report)
            disk.rowCounts[file.number] = runs.reduce(0) { $0 + $1.rowCount }
            let removed = Set(file.removed)
            for run in runs {
                guard let table = table(of: run) else { throw nonsense }
                table.setRuns(table.runs + [removed.isEmpty ? run : run.removing(removed)])
            }
        }
    }

    /// The table of a run, if it fits there.
    private func table(of run: Run) -> Table? {
        let tables = run.descriptor.isTrait ? traits.tables : events.tables
        guard run.descriptor.table < tables.count else { return nil }
        let table = tables[Int(run.descriptor.table)]
        for column in run.descriptor.columns {
            let tree = column.root == 0 ? table.values : table.context
            guard column.number < tree.columns.count else { return nil }
        }
        return table
    }

    // MARK: State

    /// What was found wrong with the files, in words; whatever was read before may be wrong then. Ask before an answer
    /// leaves or a decision is made durable.
    public var damage: String? { report.found }

    /// Everything before this offset of the Log is on disk; 0 without files.
    public var storedPosition: Int64 { disk?.manifest.metadata.position ?? 0 }
    /// What was given with that position.
    public var storedMark: UInt64 { disk?.manifest.metadata.mark ?? 0 }

    /// Message ids of the calls before that position that took effect, as they were given; oldest first.
    public var seenIDs: [IDSegment] { disk?.ids ?? [] }

    /// Rows that a flush would write.
    public var freshRowCount: Int { freshRows }

    public var diskStatistics: HistoryDiskStatistics? {
        guard let disk else { return nil }
        let tables = events.tables + traits.tables
        return HistoryDiskStatistics(
            position: disk.manifest.metadata.position, storedRows: disk.rowCounts.values.reduce(0, +),
            freshRows: tables.reduce(0) { $0 + $1.freshCount + ($1.frozen?.rowCount ?? 0) },
            runFiles: disk.manifest.runs.count, textFiles: disk.manifest.texts.count, isFlushing: disk.isFlushing,
            isMerging: disk.isMerging)
    }

    /// Looks at every byte of every file now; `damage` tells.
    public func verify() {
        for segment in store.values.strings.segments where !segment.verify() { return }
        for segment in seenIDs where !segment.verify() { return }
        for table in events.tables + traits.tables {
            for run in table.runs where !run.verify() { return }
        }
    }

    /// Everything that is on disk, to be looked at from another thread.
    public var verification: HistoryVerification {
        HistoryVerification(
            texts: store.values.strings.segments, ids: seenIDs, runs: (events.tables + traits.tables).flatMap(\.runs))
    }

    // MARK: Flush

    /// Sets the fresh rows apart, to be written by `job.run()` on any thread while this History goes on; give the result
    /// to `finish`. Call it where everything before `position` is inserted and nothing else.
    ///
    /// `nil` while another flush goes on, or without files or anything to write.
    /// - Parameters:
    ///   - mark: Any number by which the Log up to there can be known again.
    ///   - ids: Of the calls since the last flush that took effect.
    public func beginFlush(position: Int64, mark: UInt64 = 0, ids: [SeenID] = []) -> HistoryFlush? {
        guard var disk, !disk.isFlushing, freshRows > 0 || !ids.isEmpty else { return nil }
        var metadata = HistoryMetadata(position: position, mark: mark)
        metadata.profileBound = profileBound
        (metadata.tooOld, metadata.movedToReceipt, metadata.unreadable) = (tooOld, movedToReceipt, unreadable)
        metadata.events = events.metadata
        metadata.traits = traits.metadata
        let tables = events.tables + traits.tables
        for table in tables { table.freeze() }
        unions.forgetAll()
        forgetMemo()
        frozenProfiles = profiles
        profiles = []
        freshRows = 0
        store.values.strings.freeze()
        store.dropMessageIDs()
        disk.frozen = metadata
        disk.isFlushing = true
        disk.hasFreshRemovals = false
        let flush = HistoryFlush(
            directory: disk.directory, lineage: disk.manifest.lineage,
            textFile: store.values.strings.frozen == nil ? nil : disk.manifest.nextFile,
            runFile: disk.manifest.nextFile + 1, idFile: disk.manifest.nextFile + 2,
            texts: store.values.strings.frozen, ids: ids,
            batches: tables.compactMap { table in table.frozen.map { (table.isTrait, table.number, $0) } },
            report: report)
        disk.manifest.nextFile += 3
        self.disk = disk
        return flush
    }

    /// Takes over what a flush wrote, durably.
    public func finish(_ flushed: HistoryFlush.Result) throws(HistoryFileError) {
        guard var disk, let metadata = disk.frozen else { return }
        var removed: Set<UInt32> = []
        for table in events.tables + traits.tables { removed.formUnion(table.removedFromFrozen) }
        if let texts = flushed.texts { disk.manifest.texts.append(texts.file) }
        if var file = flushed.runFile {
            file.removed = removed.sorted()
            disk.manifest.runs.append(file)
            disk.rowCounts[file.number] = flushed.runs.reduce(0) { $0 + $1.rowCount }
        }
        if let ids = flushed.ids {
            disk.manifest.ids.append(ids.file)
            disk.ids.append(ids.segment)
        }
        disk.manifest.metadata = metadata
        disk.frozen = nil
        disk.isFlushing = false
        try disk.manifest.write(in: disk.directory)
        for run in flushed.runs {
            guard let table = table(of: run) else { continue }
            table.setRuns(table.runs + [removed.isEmpty ? run : run.removing(removed)])
        }
        for table in events.tables + traits.tables { table.thaw() }
        unions.forgetAll()
        forgetMemo()
        frozenProfiles = []
        storedBound = max(storedBound, metadata.profileBound)
        store.values.strings.thaw(
            to: store.values.strings.segments + (flushed.texts.map { [$0.segment] } ?? []))
        self.disk = disk
    }

    // MARK: Removal

    /// Marks what a profile has on disk; the manifest is told by `storeRemovals`.
    func removeOlder(_ profile: UInt32, hadFreshRows: Bool) {
        guard var disk else { return }
        var hadRows = hadFreshRows
        var files: Set<Int> = []
        for table in events.tables + traits.tables where !table.isInMemoryOnly {
            for run in table.runs where !run.storedRows(of: profile).isEmpty { files.insert(run.file) }
            let (cells, stored, frozen) = table.removeOlder(profile)
            if stored + frozen > 0 { hadRows = true }
            disk.frozen?.forget(cells, rows: stored + frozen, isTrait: table.isTrait, table: Int(table.number))
            disk.manifest.metadata.forget(
                cells.filter(\.isStored), rows: stored, isTrait: table.isTrait, table: Int(table.number))
        }
        for index in disk.manifest.runs.indices where files.contains(disk.manifest.runs[index].number) {
            let old = Set(disk.manifest.runs[index].removed)
            disk.manifest.runs[index].removed = old.union([profile]).sorted()
        }
        if hadRows {
            // Fresh rows had texts, too.
            disk.hasFreshRemovals = true
            disk.hasUnwrittenRemovals = true
            disk.manifest.holdsRemoved = true
        }
        self.disk = disk
    }

    /// Makes removals durable. Call it once it is certain that the profiles stay removed; flushes and merges that are
    /// finished do the same.
    public func storeRemovals() {
        guard var disk, disk.hasUnwrittenRemovals else { return }
        do { try disk.manifest.write(in: disk.directory) } catch {
            // Who is not here any more must not come back.
            report.report("a removal could not be noted: \(error)")
        }
        disk.hasUnwrittenRemovals = false
        self.disk = disk
    }
}

/// A look at everything that is on disk.
public struct HistoryVerification: Sendable {
    let texts: [TextSegment]
    let ids: [IDSegment]
    let runs: [Run]

    /// Reads it all. What is wrong is told by the `damage` of the History.
    public func run(_ cancellation: HistoryCancellation? = nil) {
        for segment in texts where cancellation?.isCancelled != true { _ = segment.verify() }
        for segment in ids where cancellation?.isCancelled != true { _ = segment.verify() }
        for run in runs where cancellation?.isCancelled != true { _ = run.verify() }
    }
}

/// Rows that are to be written.
public struct HistoryFlush: Sendable {
    let directory: String
    let lineage: UInt64
    let textFile: Int?
    let runFile: Int
    let idFile: Int
    let texts: FrozenTexts?
    let ids: [SeenID]
    let batches: [(isTrait: Bool, table: UInt32, batch: RowBatch)]
    let report: DamageReport

    /// What was written; not in force until the History has finished it.
    public struct Result: Sendable {
        let texts: (file: Manifest.File, segment: TextSegment)?
        let ids: (file: Manifest.File, segment: IDSegment)?
        let runFile: Manifest.File?
        let runs: [Run]
    }

    /// Writes and synchronises the files. May be called again where it failed.
    public func run() throws(HistoryFileError) -> Result {
        var written: (file: Manifest.File, segment: TextSegment)?
        if let texts, let textFile {
            let path = Manifest.path(textFile, .texts, in: directory)
            let checksum = try TextSegment.write(
                path, lineage: lineage, first: texts.first, count: texts.texts.count,
                hash: { texts.texts.hashes[$0] }, text: { texts.texts.withBytes($0, $1) })
            let segment = try TextSegment(path, checksum: checksum, lineage: lineage, report)
            written = (Manifest.File(number: textFile, checksum: checksum), segment)
        }
        var writtenIDs: (file: Manifest.File, segment: IDSegment)?
        let idPath = Manifest.path(idFile, .ids, in: directory)
        if let checksum = try IDSegment.write(ids, to: idPath, lineage: lineage) {
            let segment = try IDSegment(idPath, checksum: checksum, lineage: lineage, report)
            writtenIDs = (Manifest.File(number: idFile, checksum: checksum), segment)
        }
        guard !batches.isEmpty else { return Result(texts: written, ids: writtenIDs, runFile: nil, runs: []) }
        let path = Manifest.path(runFile, .runs, in: directory)
        let checksum = try RunFile.write(path, lineage: lineage) { sink throws(HistoryFileError) in
            var descriptors: [RunDescriptor] = []
            for (isTrait, table, batch) in batches {
                let input = BatchInput(batch)
                guard input.rowCount > 0 else { continue }
                descriptors.append(try RunEncoder.encode(input, isTrait: isTrait, table: table, to: sink))
            }
            return descriptors
        }
        let runs = try RunFile.open(path, number: runFile, checksum: checksum, lineage: lineage, report)
        return Result(
            texts: written, ids: writtenIDs, runFile: Manifest.File(number: runFile, checksum: checksum), runs: runs)
    }
}
