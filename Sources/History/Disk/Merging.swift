/// Which files are merged: neighbours of about one size, so that a row is written again a few times at most.
enum MergePolicy {
    static let runFanIn = 8
    static let textFanIn = 4

    /// - Parameters:
    ///   - sizes: Oldest first.
    ///   - unit: About the size that a flush makes.
    static func pick(_ sizes: [Int], fanIn: Int, unit: Int, limit: Int) -> Range<Int>? {
        let tiers = sizes.map { size in
            var tier = 0
            var bound = max(unit, 1) * 2
            while size > bound {
                tier += 1
                bound *= fanIn
            }
            return tier
        }
        guard let highest = tiers.max() else { return nil }
        for tier in 0...highest {
            var start: Int?
            var count = 0
            var total = 0
            for (index, size) in sizes.enumerated() {
                if tiers[index] > tier || total + size > limit { (start, count, total) = (nil, 0, 0) }
                guard tiers[index] <= tier, size <= limit, start != nil || tiers[index] == tier else { continue }
                let first = start ?? index
                start = first
                total += size
                if tiers[index] == tier { count += 1 }
                if count == fanIn { return first..<index + 1 }
            }
        }
        return nil
    }
}

extension History {
    /// What should be merged now, to be written by `job.run()` on any thread; give the result to `finish`. `nil` if there
    /// is nothing to do or another merge goes on.
    /// - Parameters:
    ///   - unit: Rows that a flush writes.
    ///   - everything: Merge all files into one, whatever their sizes.
    ///   - cutoff: Message ids that were received before are dropped; milliseconds.
    public func beginMerge(unit: Int, everything: Bool = false, idsSince cutoff: Int64 = .min) -> HistoryMerge? {
        guard let disk, !disk.isMerging, report.found == nil else { return nil }
        let segments = store.values.strings.segments
        let textSizes = segments.map(\.count)
        let runSizes = disk.manifest.runs.map { disk.rowCounts[$0.number] ?? 0 }
        var texts = MergePolicy.pick(textSizes, fanIn: MergePolicy.textFanIn, unit: unit, limit: 1 << 31)
        var runs = MergePolicy.pick(runSizes, fanIn: MergePolicy.runFanIn, unit: unit, limit: 1 << 31)
        let idSizes = disk.ids.map(\.count)
        var ids = MergePolicy.pick(idSizes, fanIn: MergePolicy.runFanIn, unit: unit, limit: 1 << 31)
        if everything {
            ids = disk.ids.count > 1 ? 0..<disk.ids.count : nil
            texts = segments.count > 1 ? 0..<segments.count : nil
            let hasRemoved = disk.manifest.runs.contains { !$0.removed.isEmpty }
            let hasExpired = events.tables.contains { $0.runs.contains(where: \.holdsExpired) }
            runs = runSizes.count > 1 || hasRemoved || hasExpired ? 0..<runSizes.count : nil
        }
        guard texts != nil || runs != nil || ids != nil else { return nil }
        return beginMerge(texts: texts, runs: runs, ids: ids, idsSince: cutoff)
    }

    /// Takes neighbours of each kind of file.
    func beginMerge(
        texts: Range<Int>?, runs: Range<Int>?, ids: Range<Int>?, idsSince cutoff: Int64
    ) -> HistoryMerge? {
        guard var disk else { return nil }
        let segments = store.values.strings.segments
        let files = runs.map { Array(disk.manifest.runs[$0]) } ?? []
        let numbers = Set(files.map(\.number))
        var inputs: [HistoryMerge.Input] = []
        for table in events.tables + traits.tables {
            let merged = table.runs.filter { numbers.contains($0.file) }
            if !merged.isEmpty {
                inputs.append(HistoryMerge.Input(isTrait: table.isTrait, table: table.number, runs: merged))
            }
        }
        let merge = HistoryMerge(
            directory: disk.directory, lineage: disk.manifest.lineage, textFile: disk.manifest.nextFile,
            runFile: disk.manifest.nextFile + 1, idFile: disk.manifest.nextFile + 2,
            texts: texts.map { Array(segments[$0]) } ?? [],
            oldTexts: texts.map { Array(disk.manifest.texts[$0]) } ?? [],
            ids: ids.map { Array(disk.ids[$0]) } ?? [], oldIDs: ids.map { Array(disk.manifest.ids[$0]) } ?? [],
            idCutoff: cutoff, files: files, inputs: inputs, report: report)
        disk.manifest.nextFile += 3
        disk.isMerging = true
        self.disk = disk
        return merge
    }

    /// Forgets a merge that failed; the files stay as they are.
    public func abandon(_ merge: HistoryMerge) {
        disk?.isMerging = false
        merge.removeOutput()
    }

    /// Replaces what was merged, durably, and deletes the old files.
    public func finish(_ merged: HistoryMerge.Result) throws(HistoryFileError) {
        guard var disk else { return }
        disk.isMerging = false
        let merge = merged.merge
        var segments = store.values.strings.segments
        if let texts = merged.texts, let start = segments.firstIndex(where: { $0.first == texts.segment.first }) {
            let range = start..<start + merge.texts.count
            segments.replaceSubrange(range, with: [texts.segment])
            disk.manifest.texts.replaceSubrange(range, with: [texts.file])
        }
        let oldIDs = replaceIDs(merged, &disk)
        var late: Set<UInt32> = []
        let numbers = Set(merge.files.map(\.number))
        if !merge.files.isEmpty,
            let start = disk.manifest.runs.firstIndex(where: { $0.number == merge.files[0].number })
        {
            let range = start..<start + merge.files.count
            // Who was removed meanwhile is still in the new file.
            for (now, then) in zip(disk.manifest.runs[range], merge.files) {
                late.formUnion(Set(now.removed).subtracting(then.removed))
            }
            // Where nothing is left no file is.
            var file = merged.runs.isEmpty ? nil : merged.runFile
            file?.removed = late.sorted()
            disk.manifest.runs.replaceSubrange(range, with: file.map { [$0] } ?? [])
            for number in numbers { disk.rowCounts[number] = nil }
            if let file { disk.rowCounts[file.number] = merged.runs.reduce(0) { $0 + $1.rowCount } }
            forget(merged.expired(late: late), in: &disk)
        }
        try disk.manifest.write(in: disk.directory)
        store.values.strings.setSegments(segments)
        for table in events.tables + traits.tables {
            guard let place = table.runs.firstIndex(where: { numbers.contains($0.file) }) else { continue }
            var runs = table.runs.filter { !numbers.contains($0.file) }
            let new = merged.runs.first {
                $0.descriptor.isTrait == table.isTrait && $0.descriptor.table == table.number
            }
            if let new { runs.insert(late.isEmpty ? new : new.removing(late), at: place) }
            table.setRuns(runs)
        }
        unions.forgetAll()
        forgetMemo()
        self.disk = disk
        for file in merge.oldTexts { HistoryFile.remove(Manifest.path(file.number, .texts, in: disk.directory)) }
        for file in oldIDs { HistoryFile.remove(Manifest.path(file.number, .ids, in: disk.directory)) }
        for file in merge.files { HistoryFile.remove(Manifest.path(file.number, .runs, in: disk.directory)) }
        if merged.runs.isEmpty, !merge.files.isEmpty {
            HistoryFile.remove(Manifest.path(merge.runFile, .runs, in: disk.directory))
        }
    }

    /// Puts the merged ids in the place of those they come from, drops files that are too old, and tells which files are
    /// of no use any more.
    private func replaceIDs(_ merged: HistoryMerge.Result, _ disk: inout HistoryDisk) -> [Manifest.File] {
        let merge = merged.merge
        if let first = merge.oldIDs.first, let start = disk.manifest.ids.firstIndex(of: first) {
            let range = start..<start + merge.oldIDs.count
            disk.manifest.ids.replaceSubrange(range, with: merged.ids.map { [$0.file] } ?? [])
            disk.ids.replaceSubrange(range, with: merged.ids.map { [$0.segment] } ?? [])
        }
        var useless = merge.oldIDs
        for index in disk.ids.indices.reversed() where disk.ids[index].latest < merge.idCutoff {
            useless.append(disk.manifest.ids.remove(at: index))
            disk.ids.remove(at: index)
        }
        return useless
    }
}

/// Files that are to become one.
public struct HistoryMerge: Sendable {
    struct Input: Sendable {
        let isTrait: Bool
        let table: UInt32
        /// Oldest first.
        let runs: [Run]
    }

    let directory: String
    let lineage: UInt64
    let textFile: Int
    let runFile: Int
    let idFile: Int
    let texts: [TextSegment]
    let oldTexts: [Manifest.File]
    let ids: [IDSegment]
    let oldIDs: [Manifest.File]
    let idCutoff: Int64
    let files: [Manifest.File]
    let inputs: [Input]
    let report: DamageReport

    /// What was written; not in force until the History has finished it.
    public struct Result: Sendable {
        let merge: HistoryMerge
        let texts: (file: Manifest.File, segment: TextSegment)?
        let ids: (file: Manifest.File, segment: IDSegment)?
        let runFile: Manifest.File?
        let runs: [Run]
        /// Rows of `inputs` that were left out because they have expired.
        let expired: [(table: UInt32, rows: ExpiredRows)]
    }

    func removeOutput() {
        HistoryFile.remove(Manifest.path(textFile, .texts, in: directory))
        HistoryFile.remove(Manifest.path(runFile, .runs, in: directory))
        HistoryFile.remove(Manifest.path(idFile, .ids, in: directory))
    }

    /// Writes and synchronises the files. Everything is checked before it is read, so that damage is not copied under a
    /// new checksum.
    public func run(_ cancellation: HistoryCancellation? = nil) throws(HistoryFileError) -> Result {
        var written: (file: Manifest.File, segment: TextSegment)?
        if let first = texts.first?.first {
            guard texts.allSatisfy({ $0.verify() }) else { throw HistoryFileError(report.found ?? "damaged texts") }
            let ends = texts.map { Int($0.end - first) }
            func segment(_ place: Int) -> (TextSegment, Int) {
                let index = ends.firstIndex { place < $0 } ?? 0
                return (texts[index], place - Int(texts[index].first - first))
            }
            let path = Manifest.path(textFile, .texts, in: directory)
            let checksum = try TextSegment.write(
                path, lineage: lineage, first: first, count: ends.last ?? 0,
                isKept: { place in
                    let (segment, local) = segment(place)
                    return !segment.isDropped(local)
                },
                hash: { place in
                    let (segment, local) = segment(place)
                    return segment.hash(local)
                },
                text: { place, body in
                    let (segment, local) = segment(place)
                    segment.withBytes(local, body)
                })
            let merged = try TextSegment(path, checksum: checksum, lineage: lineage, report)
            written = (Manifest.File(number: textFile, checksum: checksum), merged)
        }
        var writtenIDs: (file: Manifest.File, segment: IDSegment)?
        if !ids.isEmpty {
            guard ids.allSatisfy({ $0.verify() }) else { throw HistoryFileError(report.found ?? "damaged ids") }
            let path = Manifest.path(idFile, .ids, in: directory)
            let merged = try IDSegment.merge(ids, since: idCutoff, to: path, lineage: lineage, cancellation)
            if let checksum = merged {
                let segment = try IDSegment(path, checksum: checksum, lineage: lineage, report)
                writtenIDs = (Manifest.File(number: idFile, checksum: checksum), segment)
            }
        }
        guard !files.isEmpty else {
            return Result(merge: self, texts: written, ids: writtenIDs, runFile: nil, runs: [], expired: [])
        }
        var expired: [(table: UInt32, rows: ExpiredRows)] = []
        let path = Manifest.path(runFile, .runs, in: directory)
        let checksum = try RunFile.write(path, lineage: lineage) { sink throws(HistoryFileError) in
            var descriptors: [RunDescriptor] = []
            sink.cancellation = cancellation
            for table in inputs {
                guard table.runs.allSatisfy({ $0.verify() }) else {
                    throw HistoryFileError(report.found ?? "damaged runs")
                }
                let input = MergeInput(table.runs)
                if !table.isTrait { expired.append((table.table, input.expiredRows)) }
                guard input.rowCount > 0 else { continue }
                descriptors.append(
                    try RunEncoder.encode(input, isTrait: table.isTrait, table: table.table, to: sink))
            }
            return descriptors
        }
        let runs = try RunFile.open(path, number: runFile, checksum: checksum, lineage: lineage, report)
        return Result(
            merge: self, texts: written, ids: writtenIDs, runFile: Manifest.File(number: runFile, checksum: checksum),
            runs: runs, expired: expired)
    }
}
