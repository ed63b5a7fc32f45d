// What deleted people leave in the files: rows, which the rewriting of a file drops, and then texts that no row refers to.
//
// Texts have permanent codes, so one that goes leaves an empty place behind that no search finds.

extension History {
    /// Whether files hold something of removed profiles.
    public var needsCleaning: Bool { disk?.manifest.holdsRemoved ?? false }

    /// Whether what removed profiles left must be written first, so that it can be cleaned away.
    public var needsFlushBeforeCleaning: Bool {
        guard let disk, disk.manifest.holdsRemoved || disk.manifest.unsweptRows > 0 else { return false }
        return disk.hasFreshRemovals && freshRows > 0 && !disk.isFlushing
    }

    /// A file that has rows of removed profiles, to be written without them. Run and finish it like any merge. `nil` if
    /// there is none or another merge goes on.
    public func beginRewrite(idsSince cutoff: Int64 = .min) -> HistoryMerge? {
        guard let disk, !disk.isMerging, report.found == nil,
            let place = disk.manifest.runs.firstIndex(where: { !$0.removed.isEmpty })
        else { return nil }
        return beginMerge(texts: nil, runs: place..<place + 1, ids: nil, idsSince: cutoff)
    }

    /// Texts that nobody refers to any more, to be dropped by `job.run()` on any thread; give the result to `finish`.
    /// `nil` as long as rows of removed profiles are in a file or on their way, or another merge goes on.
    public func beginTextSweep() -> HistoryTextSweep? {
        guard var disk, disk.manifest.holdsRemoved || disk.manifest.unsweptRows > 0, !disk.isMerging,
            !disk.isFlushing, report.found == nil,
            !disk.hasFreshRemovals || freshRows == 0, disk.manifest.runs.allSatisfy({ $0.removed.isEmpty })
        else { return nil }
        var roots = store.pinned
        func root(_ cell: Cell) {
            guard let code = cell.textCode, roots.insert(code).inserted, cell.kind == .list else { return }
            for element in store.elements(of: cell) { root(element) }
        }
        for table in events.tables + traits.tables {
            roots.insert(table.name)
            for tree in [table.values, table.context] {
                for column in tree.columns {
                    roots.insert(column.key)
                    if let last = column.lastText { roots.insert(last) }
                    for sample in column.samples { root(sample) }
                    for cell in column.cells { root(cell) }
                }
            }
            roots.formUnion(table.freshSources)
        }
        let segments = store.values.strings.segments
        let sweep = HistoryTextSweep(
            directory: disk.directory, lineage: disk.manifest.lineage, firstFile: disk.manifest.nextFile,
            segments: segments, files: disk.manifest.texts, runs: (events.tables + traits.tables).flatMap(\.runs),
            roots: roots, expiredRows: disk.manifest.unsweptRows, report: report)
        disk.manifest.nextFile += segments.count
        disk.isMerging = true
        disk.hasFreshRemovals = false
        store.values.strings.beginTracking()
        self.disk = disk
        return sweep
    }

    /// Forgets a sweep that failed; the files stay as they are.
    public func abandon(_ sweep: HistoryTextSweep) {
        disk?.isMerging = false
        store.values.strings.endTracking()
        sweep.removeOutput()
    }

    /// Replaces what was swept, durably, unless a text that was to go has come again meanwhile: then nothing changes, and
    /// the next sweep keeps it.
    public func finish(_ swept: HistoryTextSweep.Result) throws(HistoryFileError) {
        guard var disk else { return }
        guard store.values.strings.revived.allSatisfy({ !swept.isDead($0) }) else { return abandon(swept.sweep) }
        var segments = store.values.strings.segments
        for (place, file, segment) in swept.replaced {
            guard place < segments.count, segments[place].first == segment.first else { return abandon(swept.sweep) }
            segments[place] = segment
            disk.manifest.texts[place] = file
        }
        disk.isMerging = false
        disk.manifest.holdsRemoved =
            disk.hasFreshRemovals || disk.manifest.runs.contains { !$0.removed.isEmpty }
        disk.manifest.unsweptRows -= swept.sweep.expiredRows
        disk.manifest.unsweptSince = 0
        try disk.manifest.write(in: disk.directory)
        store.values.strings.setSegments(segments)
        store.values.strings.endTracking()
        self.disk = disk
        for (place, _, _) in swept.replaced {
            HistoryFile.remove(Manifest.path(swept.sweep.files[place].number, .texts, in: disk.directory))
        }
    }
}

/// The texts on disk and what may refer to them.
public struct HistoryTextSweep: Sendable {
    let directory: String
    let lineage: UInt64
    let firstFile: Int
    let segments: [TextSegment]
    let files: [Manifest.File]
    let runs: [Run]
    /// Codes that are referred to from elsewhere.
    let roots: Set<UInt32>
    /// Those whose texts it takes along.
    let expiredRows: Int
    let report: DamageReport

    /// What was written; not in force until the History has finished it.
    public struct Result: Sendable {
        let sweep: HistoryTextSweep
        let used: CodeSet
        let replaced: [(place: Int, file: Manifest.File, segment: TextSegment)]

        func isDead(_ code: UInt32) -> Bool { code < used.bound && !used.contains(code) }
    }

    func removeOutput() {
        for index in segments.indices {
            HistoryFile.remove(Manifest.path(firstFile + index, .texts, in: directory))
        }
    }

    public func run(_ cancellation: HistoryCancellation? = nil) throws(HistoryFileError) -> Result {
        guard segments.allSatisfy({ $0.verify() }), runs.allSatisfy({ $0.verify() }) else {
            throw HistoryFileError(report.found ?? "damaged files")
        }
        let used = marked()
        var replaced: [(place: Int, file: Manifest.File, segment: TextSegment)] = []
        for (place, segment) in segments.enumerated() {
            if cancellation?.isCancelled == true { throw HistoryFileError("writing was given up") }
            func isKept(_ text: Int) -> Bool { used.contains(segment.first + UInt32(text)) }
            guard (0..<segment.count).contains(where: { !isKept($0) && !segment.isDropped($0) }) else { continue }
            let path = Manifest.path(firstFile + place, .texts, in: directory)
            let checksum = try TextSegment.write(
                path, lineage: lineage, first: segment.first, count: segment.count, isKept: isKept,
                hash: segment.hash, text: { segment.withBytes($0, $1) })
            let written = try TextSegment(path, checksum: checksum, lineage: lineage, report)
            replaced.append((place, Manifest.File(number: firstFile + place, checksum: checksum), written))
        }
        return Result(sweep: self, used: used, replaced: replaced)
    }

    private func marked() -> CodeSet {
        var used = CodeSet(bound: segments.last?.end ?? 0)
        var lists: [UInt32] = []
        func mark(_ cell: Cell) {
            guard let code = cell.textCode, used.insert(code), cell.kind == .list else { return }
            lists.append(code)
        }
        for code in roots { _ = used.insert(code) }
        for run in runs {
            for root in [Table.Root.value, .context] {
                for number in run.columnNumbers(root) { run.column(root, number)?.forEachDistinctCell(mark) }
            }
            for source in run.distinctSources { _ = used.insert(source) }
        }
        while let list = lists.popLast() {
            guard let segment = segments.first(where: { list < $0.end }), list >= segment.first else { continue }
            segment.withBytes(Int(list - segment.first)) { bytes in
                let bytes = UnsafeRawBufferPointer(bytes)
                for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                    mark(Cell(bits: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)))
                }
            }
        }
        return used
    }
}

/// A set of codes below a bound.
struct CodeSet: Sendable {
    let bound: UInt32
    private var words: [UInt64]

    init(bound: UInt32) {
        self.bound = bound
        words = Array(repeating: 0, count: Int(bound) / 64 + 1)
    }

    /// Whether the code was not there before; codes from the bound on are none.
    mutating func insert(_ code: UInt32) -> Bool {
        guard code < bound else { return false }
        let bit: UInt64 = 1 << UInt64(code % 64)
        guard words[Int(code) / 64] & bit == 0 else { return false }
        words[Int(code) / 64] |= bit
        return true
    }

    func contains(_ code: UInt32) -> Bool { code < bound && words[Int(code) / 64] >> UInt64(code % 64) & 1 == 1 }
}

extension Cell {
    /// The code of the text that a cell points to.
    var textCode: UInt32? {
        switch kind {
        case .string, .exactNumber, .list: code
        case .array, .object: isInColumns ? nil : code
        case .missing, .null, .boolean, .number: nil
        }
    }
}

extension RunColumn {
    /// Every cell that may occur; some more than once.
    func forEachDistinctCell(_ body: (Cell) -> Void) {
        for bits in dictionary { body(Cell(bits: bits)) }
        switch encoding {
        case .constant, .codes8, .codes16, .sparse, .integers: break
        case .codes32, .cells: for row in 0..<rowCount { body(cell(row)) }
        }
    }
}
