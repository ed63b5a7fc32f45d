import Evaluation
import History
import Model

/// Answers a plan for one block of profiles after the other, ascending, on one thread.
final class BlockScan {
    /// How many profiles a block has: few enough that what is read of them stays in the cache while all definitions
    /// look at it.
    static let size = 4096
    static let words = size / 64

    let plan: ScanPlan
    var cursors: [TableCursor]
    let scratch = Scratch()
    var views: [TableView] = []
    var streamMasks: [RowMask?]
    var conditionMasks: [RowMask?]
    /// By test of the plan and by run, or the last for rows of several: made when first needed.
    private var kernels: [[FieldKernel?]]
    /// By table and column: cells that were put together for the block.
    private var decoded: [[UnsafePointer<UInt64>?]]
    private var leafTruths: [Truth?]
    lazy var tally = Tally()
    /// By code of a string: its place in the order of bytes, or `.max`.
    let ranks: [UInt32]
    private let queryTables: [[Int]]
    private var low: UInt32 = 0

    /// What is known of the profiles of a block: one bit each.
    struct Truth {
        var holds: UnsafeMutablePointer<UInt64>
        /// Only the evaluator can tell; none of them stands in `holds`.
        var doubts: UnsafeMutablePointer<UInt64>
    }

    init(_ plan: ScanPlan, _ snapshot: ScanSnapshot) {
        self.plan = plan
        cursors = zip(plan.tables, plan.columns).map { TableCursor(snapshot.runs($0), columns: $1) }
        ranks = snapshot.ranks
        streamMasks = Array(repeating: nil, count: plan.streams.count)
        conditionMasks = Array(repeating: nil, count: plan.conditions.count)
        leafTruths = Array(repeating: nil, count: plan.leaves.count)
        decoded = plan.columns.map { Array(repeating: nil, count: $0.count) }
        kernels = []
        queryTables = plan.queries.map { plan.tables(of: $0).sorted() }
        kernels = plan.fieldTests.map { Array(repeating: nil, count: cursors[$0.field.table].runs.count + 1) }
    }

    /// Answers for the profiles from `low` on.
    /// - Parameter asked: A bit for each profile that exists and that the kernels may answer for.
    func run(from low: UInt32, asked: UnsafePointer<UInt64>, into answers: inout [QueryAnswer]) {
        self.low = low
        scratch.reset()
        views.removeAll(keepingCapacity: true)
        for index in cursors.indices {
            views.append(cursors[index].view(from: low, to: low + UInt32(BlockScan.size), scratch))
        }
        for index in streamMasks.indices { streamMasks[index] = nil }
        for index in conditionMasks.indices { conditionMasks[index] = nil }
        for index in leafTruths.indices { leafTruths[index] = nil }
        for table in decoded.indices {
            for column in decoded[table].indices { decoded[table][column] = nil }
        }
        for (number, query) in plan.queries.enumerated() {
            let doubts = scratch.zeros(BlockScan.words)
            for table in queryTables[number] {
                for profile in views[table].tangled { BlockScan.set(doubts, profile - low) }
            }
            switch query {
            case .audience(let node):
                let truth = truth(node, among: asked)
                for word in 0..<BlockScan.words {
                    let doubtful = (doubts[word] | truth.doubts[word]) & asked[word]
                    answers[number].members.append(truth.holds[word] & asked[word] & ~doubtful)
                    answers[number].doubts.append(doubtful)
                }
            case .reduction(let stream, let reduction):
                collect(&answers[number], stream, reduction, asked, doubts)
            case .trait(let field): collect(&answers[number], field, asked, doubts)
            case .unknown: for word in 0..<BlockScan.words { answers[number].doubts.append(asked[word]) }
            }
        }
    }

    @inline(__always)
    static func set(_ words: UnsafeMutablePointer<UInt64>, _ bit: UInt32) {
        words[Int(bit >> 6)] |= 1 << UInt64(bit & 63)
    }

    // MARK: Columns

    /// A test as it is asked of a view's rows; `nil` where they have nothing in its column.
    func kernel(_ number: Int, _ view: TableView) -> FieldKernel? {
        let (field, test) = (plan.fieldTests[number].field, plan.fieldTests[number].test)
        switch view.source {
        case .nothing: return nil
        case .run(let run, _):
            if let known = kernels[number][run] { return known }
            guard let column = cursors[field.table].runs[run].columns[field.column] else { return nil }
            let kernel = FieldKernel(test, column)
            kernels[number][run] = kernel
            return kernel
        case .gathered:
            let last = kernels[number].count - 1
            if let known = kernels[number][last] { return known }
            let kernel = FieldKernel(test, cursors[field.table].kinds[field.column])
            kernels[number][last] = kernel
            return kernel
        }
    }

    /// The cells of a column, at least those of the active words; `nil` where nobody has anything.
    func cells(_ field: ScanPlan.Field, _ active: ActiveRows) -> UnsafePointer<UInt64>? {
        if let known = decoded[field.table][field.column] { return known }
        let view = views[field.table]
        switch view.source {
        case .nothing: return nil
        case .gathered(let columns): return columns[field.column]
        case .run(let run, let firstRow):
            guard let column = cursors[field.table].runs[run].columns[field.column] else { return nil }
            if case .cells(let bits) = column.form { return bits + firstRow }
            let cells = scratch.words(view.rowCount)
            if let words = active.words {
                for word in words {
                    let start = Int(word) << 6
                    column.copy(
                        firstRow + start..<firstRow + min(view.rowCount, start + 64), to: cells + start)
                }
            } else {
                column.copy(firstRow..<firstRow + view.rowCount, to: cells)
                decoded[field.table][field.column] = UnsafePointer(cells)
            }
            return UnsafePointer(cells)
        }
    }

    // MARK: Truths

    private func truth(_ node: ScanPlan.Node, among asked: UnsafePointer<UInt64>) -> Truth {
        switch node {
        case .leaf(let number): return truth(leaf: number, among: asked)
        case .not(let operand):
            let truth = truth(operand, among: asked)
            let holds = scratch.words(BlockScan.words)
            for word in 0..<BlockScan.words { holds[word] = ~(truth.holds[word] | truth.doubts[word]) }
            return Truth(holds: holds, doubts: truth.doubts)
        case .and(let operands):
            let holds = scratch.words(BlockScan.words)
            let possible = scratch.words(BlockScan.words)
            for word in 0..<BlockScan.words { (holds[word], possible[word]) = (.max, asked[word]) }
            for operand in operands.sorted(by: { cost($0) < cost($1) }) {
                let truth = truth(operand, among: possible)
                for word in 0..<BlockScan.words {
                    holds[word] &= truth.holds[word]
                    possible[word] &= truth.holds[word] | truth.doubts[word]
                }
            }
            for word in 0..<BlockScan.words { possible[word] &= ~holds[word] }
            return Truth(holds: holds, doubts: possible)
        case .or(let operands):
            let holds = scratch.zeros(BlockScan.words)
            let doubts = scratch.zeros(BlockScan.words)
            let open = scratch.words(BlockScan.words)
            for operand in operands.sorted(by: { cost($0) < cost($1) }) {
                for word in 0..<BlockScan.words { open[word] = asked[word] & ~holds[word] }
                let truth = truth(operand, among: open)
                for word in 0..<BlockScan.words {
                    holds[word] |= truth.holds[word] & open[word]
                    doubts[word] |= truth.doubts[word] & open[word]
                }
            }
            for word in 0..<BlockScan.words { doubts[word] &= ~holds[word] }
            return Truth(holds: holds, doubts: doubts)
        case .unknown:
            let doubts = scratch.words(BlockScan.words)
            doubts.update(repeating: .max, count: BlockScan.words)
            return Truth(holds: scratch.zeros(BlockScan.words), doubts: doubts)
        }
    }

    /// How much is to be read of this block: what reads little is asked first, and decides whom the rest must look at.
    private func cost(_ node: ScanPlan.Node) -> Int {
        switch node {
        case .leaf(let number):
            if leafTruths[number] != nil { return 0 }
            switch plan.leaves[number] {
            case .count(let stream, _): return cost(stream: stream)
            case .value(let stream, _, _): return cost(stream: stream) + views[plan.streams[stream].table].rowCount
            case .trait(let field, _): return views[field.table].rowCount
            }
        case .not(let operand): return cost(operand)
        case .and(let operands): return operands.map { cost($0) }.min() ?? 0
        case .or(let operands): return operands.reduce(0) { $0 + cost($1) }
        case .unknown: return .max / 4
        }
    }

    private func cost(stream number: Int) -> Int {
        let stream = plan.streams[number]
        return views[stream.table].rowCount * (1 + stream.conditions.count)
    }

    private func truth(leaf number: Int, among asked: UnsafePointer<UInt64>) -> Truth {
        if let known = leafTruths[number] { return known }
        let leaf = plan.leaves[number]
        let truth: Truth
        var isComplete = true
        switch leaf {
        case .count(let stream, let test): truth = self.truth(stream, test, among: asked, &isComplete)
        case .value(let stream, let reduction, let test):
            truth = self.truth(stream, reduction, test, among: asked, &isComplete)
        case .trait(let field, let test): truth = self.truth(field, test, among: asked, &isComplete)
        }
        if isComplete, plan.leafUses[number] > 1 { leafTruths[number] = truth }
        return truth
    }

    private func start(_ holds: Bool?) -> Truth {
        let truth = Truth(holds: scratch.words(BlockScan.words), doubts: scratch.words(BlockScan.words))
        truth.holds.update(repeating: holds == true ? .max : 0, count: BlockScan.words)
        truth.doubts.update(repeating: holds == nil ? .max : 0, count: BlockScan.words)
        return truth
    }

    private func truth(
        _ number: Int, _ test: CountTest, among asked: UnsafePointer<UInt64>, _ isComplete: inout Bool
    ) -> Truth {
        let stream = plan.streams[number]
        let view = views[stream.table]
        let truth = start(test.accepts(0))
        let active = active(view, among: asked, isShared: plan.streamUses[number] > 1)
        isComplete = active.isAll
        let isPlain = stream.conditions.isEmpty && coversAll(stream) && stream.sessionGap == nil
        let mask = isPlain ? nil : mask(number, active)
        let (holds, low) = (truth.holds, low)
        let hasDoubts = mask?.hasDoubts == true
        if let mask, stream.sessionGap == nil, !hasDoubts, case .atLeast(let least) = test, least >= 1, least <= 4 {
            active.forEachEntry(view) { entry in
                BlockScan.write(mask.has(least, view.rows(entry)), view.profiles[entry] &- low, holds)
            }
            return truth
        }
        active.forEachEntry(view) { entry in
            let bit = view.profiles[entry] &- low
            let rows = view.rows(entry)
            BlockScan.write(test.accepts(counted(rows, mask, stream, view).count), bit, holds)
            if hasDoubts, let mask, mask.doubts(rows) { BlockScan.settle(truth, bit, nil) }
        }
        return truth
    }

    private func truth(
        _ number: Int, _ reduction: ScanPlan.Reduction, _ test: CellTest, among asked: UnsafePointer<UInt64>,
        _ isComplete: inout Bool
    ) -> Truth {
        let stream = plan.streams[number]
        let view = views[stream.table]
        let truth = start(test.accepts(reduction.valueOfNothing))
        let active = active(view, among: asked, isShared: plan.streamUses[number] > 1)
        isComplete = active.isAll
        let found = values(number, reduction, active)
        for index in 0..<found.count {
            let bits = found.bits[index]
            BlockScan.settle(
                truth, found.profiles[index] &- low,
                bits == Bits.doubtful ? nil : test.accepts(Cell(rawBits: bits)))
        }
        return truth
    }

    private func truth(
        _ field: ScanPlan.Field, _ test: CellTest, among asked: UnsafePointer<UInt64>, _ isComplete: inout Bool
    ) -> Truth {
        let truth = start(test.null)
        let active = active(views[field.table], among: asked, isShared: false)
        isComplete = active.isAll
        forEachTrait(field, active) { profile, bits in
            BlockScan.settle(truth, profile &- low, test.accepts(Cell(rawBits: bits)))
        }
        return truth
    }

    @inline(__always)
    private static func write(_ holds: Bool, _ bit: UInt32, _ words: UnsafeMutablePointer<UInt64>) {
        let (word, shift) = (Int(bit >> 6), UInt64(bit & 63))
        words[word] = words[word] & ~(1 &<< shift) | (holds ? 1 : 0) &<< shift
    }

    @inline(__always)
    private static func settle(_ truth: Truth, _ bit: UInt32, _ holds: Bool?) {
        let (word, mask) = (Int(bit >> 6), UInt64(1) << UInt64(bit & 63))
        truth.holds[word] = holds == true ? truth.holds[word] | mask : truth.holds[word] & ~mask
        truth.doubts[word] = holds == nil ? truth.doubts[word] | mask : truth.doubts[word] & ~mask
    }

    // MARK: Values

    private func collect(
        _ answer: inout QueryAnswer, _ number: Int, _ reduction: ScanPlan.Reduction, _ asked: UnsafePointer<UInt64>,
        _ doubts: UnsafeMutablePointer<UInt64>
    ) {
        let active = active(views[plan.streams[number].table], among: asked, isShared: false)
        let found = values(number, reduction, active)
        let nothing = reduction.valueOfNothing.rawBits
        var kept = 0
        for index in 0..<found.count {
            let (profile, bits) = (found.profiles[index], found.bits[index])
            let bit = profile &- low
            if bits == Bits.doubtful {
                BlockScan.set(doubts, bit)
            } else {
                // Written over what was read, and kept only if it is a value of somebody who is asked about.
                found.profiles[kept] = profile
                found.bits[kept] = bits
                let isAsked = (asked[Int(bit >> 6)] & ~doubts[Int(bit >> 6)]) &>> UInt64(bit & 63) & 1 == 1
                kept += isAsked && bits != nothing ? 1 : 0
            }
        }
        answer.profiles.append(contentsOf: UnsafeBufferPointer(start: found.profiles, count: kept))
        answer.values.append(contentsOf: UnsafeBufferPointer(start: found.bits, count: kept))
        for word in 0..<BlockScan.words { answer.doubts.append(doubts[word] & asked[word]) }
    }

    private func collect(
        _ answer: inout QueryAnswer, _ field: ScanPlan.Field, _ asked: UnsafePointer<UInt64>,
        _ doubts: UnsafeMutablePointer<UInt64>
    ) {
        let active = active(views[field.table], among: asked, isShared: false)
        forEachTrait(field, active) { profile, bits in
            let bit = profile &- low
            guard (asked[Int(bit >> 6)] & ~doubts[Int(bit >> 6)]) >> UInt64(bit & 63) & 1 == 1 else { return }
            switch Cell(rawBits: bits).kind {
            case .missing, .null: break
            case .boolean, .number, .string: answer.append(profile, bits)
            case .exactNumber, .array, .object, .list: BlockScan.set(doubts, bit)
            }
        }
        for word in 0..<BlockScan.words { answer.doubts.append(doubts[word] & asked[word]) }
    }

    /// What a reducer makes of each profile that has rows.
    private struct Values {
        var profiles: UnsafeMutablePointer<UInt32>
        /// Of cells, or `Bits.doubtful`.
        var bits: UnsafeMutablePointer<UInt64>
        var count = 0
    }

    private func values(_ number: Int, _ reduction: ScanPlan.Reduction, _ active: ActiveRows) -> Values {
        let stream = plan.streams[number]
        let view = views[stream.table]
        let isPlain = stream.conditions.isEmpty && coversAll(stream) && stream.sessionGap == nil
        let mask = isPlain ? nil : mask(number, active)
        let hasDoubts = mask?.hasDoubts == true
        let count = active.entries?.count ?? view.entryCount
        var values = Values(
            profiles: scratch.elements(of: UInt32.self, count), bits: scratch.elements(of: UInt64.self, count))
        let cells = reduction.column.flatMap { self.cells(ScanPlan.Field(table: stream.table, column: $0), active) }
        active.forEachEntry(view) { entry in
            let rows = view.rows(entry)
            values.profiles[values.count] = view.profiles[entry]
            if hasDoubts, let mask, mask.doubts(rows) {
                values.bits[values.count] = Bits.doubtful
            } else {
                values.bits[values.count] = reduce(reduction, cells, counted(rows, mask, stream, view))
            }
            values.count += 1
        }
        return values
    }

    /// The value of each profile that has a row of the trait by now: that of the last one.
    @inline(__always)
    private func forEachTrait(_ field: ScanPlan.Field, _ active: ActiveRows, _ body: (UInt32, UInt64) -> Void) {
        let view = views[field.table]
        let now = plan.now.milliseconds
        let cells = cells(field, active)
        active.forEachEntry(view) { entry in
            let rows = view.rows(entry)
            var last = rows.upperBound - 1
            while last >= rows.lowerBound, view.timestamps[last] > now { last -= 1 }
            guard last >= rows.lowerBound else { return }
            body(view.profiles[entry], cells?[last] ?? Bits.missing)
        }
    }

    /// Cuts off what came before the latest session.
    @inline(__always)
    private func counted(
        _ rows: Range<Int>, _ mask: RowMask?, _ stream: ScanPlan.Stream, _ view: TableView
    ) -> CountedRows {
        guard let gap = stream.sessionGap, let mask else { return CountedRows(rows: rows, mask: mask) }
        var start = rows.lowerBound
        var previous: Int64?
        var row = mask.next(from: rows.lowerBound, before: rows.upperBound)
        while row < rows.upperBound {
            if let previous, view.timestamps[row] - previous > gap { start = row }
            previous = view.timestamps[row]
            row = mask.next(from: row + 1, before: rows.upperBound)
        }
        return CountedRows(rows: start..<rows.upperBound, mask: mask)
    }

    // MARK: Whom to look at

    /// The entries of a view whose profiles are asked about. What several places share is worked out for everybody,
    /// unless few are asked about.
    private func active(_ view: TableView, among asked: UnsafePointer<UInt64>, isShared: Bool) -> ActiveRows {
        var count = 0
        for word in 0..<BlockScan.words { count += asked[word].nonzeroBitCount }
        guard count < (isShared ? BlockScan.size / 16 : BlockScan.size / 2) else { return .all }
        let entries = scratch.elements(of: Int32.self, min(count, view.entryCount))
        var found = 0
        if count * 16 < view.entryCount {
            // Few are asked about: each is looked for.
            let profiles = UnsafeBufferPointer(start: view.profiles, count: view.entryCount)
            var entry = 0
            for word in 0..<BlockScan.words {
                var bits = asked[word]
                while bits != 0 {
                    let profile = low + UInt32(word << 6 + bits.trailingZeroBitCount)
                    bits &= bits - 1
                    entry = profiles.firstIndex(from: profile, near: entry)
                    guard entry < view.entryCount else { break }
                    if view.profiles[entry] == profile {
                        entries[found] = Int32(entry)
                        found += 1
                    }
                }
            }
        } else {
            for entry in 0..<view.entryCount {
                let bit = view.profiles[entry] - low
                if asked[Int(bit >> 6)] >> UInt64(bit & 63) & 1 == 1 {
                    entries[found] = Int32(entry)
                    found += 1
                }
            }
        }
        return self.active(view, entries, found)
    }

    /// Some entries, ascending, with the words that they touch.
    func active(_ view: TableView, _ entries: UnsafeMutablePointer<Int32>, _ count: Int) -> ActiveRows {
        var active = ActiveRows(entries: UnsafeMutableBufferPointer(start: entries, count: count))
        guard count * 4 < view.entryCount else { return active }
        let words = scratch.elements(of: Int32.self, view.wordCount)
        var found = 0
        var next = 0
        for index in 0..<count {
            let rows = view.rows(Int(entries[index]))
            guard !rows.isEmpty else { continue }
            for word in max(next, rows.lowerBound >> 6)..<max(next, (rows.upperBound - 1) >> 6 + 1) {
                words[found] = Int32(word)
                found += 1
                next = word + 1
            }
        }
        active.words = UnsafeMutableBufferPointer(start: words, count: found)
        return active
    }
}

extension ScanPlan.Reduction {
    var column: Int? {
        switch self {
        case .count: nil
        case .sum(let column), .average(let column), .minimum(let column), .maximum(let column), .first(let column),
            .last(let column), .mode(let column, _), .uniqueCount(let column):
            column
        }
    }

    var valueOfNothing: Cell {
        switch self {
        case .count, .uniqueCount: .number(0)
        case .sum, .average, .minimum, .maximum, .first, .last, .mode: .null
        }
    }
}

extension ScanPlan {
    /// The tables that a query reads.
    func tables(of query: Query) -> Set<Int> {
        switch query {
        case .audience(let node): tables(of: node)
        case .reduction(let stream, _): tables(ofStream: stream)
        case .trait(let field): [field.table]
        case .unknown: []
        }
    }

    private func tables(of node: Node) -> Set<Int> {
        switch node {
        case .leaf(let number):
            switch leaves[number] {
            case .count(let stream, _), .value(let stream, _, _): tables(ofStream: stream)
            case .trait(let field, _): [field.table]
            }
        case .and(let operands), .or(let operands): operands.reduce(into: []) { $0.formUnion(tables(of: $1)) }
        case .not(let operand): tables(of: operand)
        case .unknown: []
        }
    }

    private func tables(ofStream number: Int) -> Set<Int> {
        streams[number].conditions.reduce(into: [streams[number].table]) { tables, condition in
            tables.formUnion(self.tables(of: conditions[condition].condition))
        }
    }

    private func tables(of condition: RowCondition) -> Set<Int> {
        switch condition {
        case .field: []
        case .and(let operands), .or(let operands): operands.reduce(into: []) { $0.formUnion(tables(of: $1)) }
        case .not(let operand): tables(of: operand)
        case .followed(let stream, _, _, _): tables(ofStream: stream)
        }
    }
}
