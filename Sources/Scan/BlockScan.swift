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
    /// By table.
    var slices: [[RowSlice]]
    /// By stream and by run.
    var streamMasks: [[RowMask?]]
    /// By condition and by run.
    var conditionMasks: [[RowMask?]]
    /// By test of the plan and by run: made when first needed.
    private var kernels: [[FieldKernel?]]
    /// By table, column and run: cells that were put together for the block.
    private var decoded: [[[UnsafePointer<UInt64>?]]]
    /// By leaf and by run: of tests of traits.
    var traitKernels: [Int: [Int: FieldKernel]] = [:]
    var leafTruths: [Truth?]
    /// By stream, as they were last asked for.
    var followers: [Followers?]
    let tally: Tally
    /// The block's first profile.
    private(set) var low: UInt32 = 0
    private var lastAskedID = 0

    init(_ plan: ScanPlan, _ snapshot: ScanSnapshot) {
        self.plan = plan
        let cursors = zip(plan.tables, plan.columns).map { TableCursor(snapshot.runs($0), columns: $1) }
        self.cursors = cursors
        func blank<Element>(_ table: Int) -> [Element?] { Array(repeating: nil, count: cursors[table].runs.count) }
        tally = Tally(ranks: snapshot.ranks, codes: plan.countsValues ? 1 << 17 : 0)
        slices = cursors.map { _ in [] }
        streamMasks = plan.streams.map { blank($0.table) }
        conditionMasks = plan.conditions.map { blank($0.table) }
        followers = Array(repeating: nil, count: plan.streams.count)
        leafTruths = Array(repeating: nil, count: plan.leaves.count)
        decoded = plan.columns.enumerated().map { table, columns in columns.map { _ in blank(table) } }
        kernels = plan.fieldTests.map { blank($0.field.table) }
    }

    /// Answers for the profiles from `low` on.
    /// - Parameter asked: A bit for each profile that exists and that the kernels may answer for.
    func run(from low: UInt32, asked: UnsafePointer<UInt64>, into answers: inout [QueryAnswer]) {
        forgetBlock()
        self.low = low
        for index in cursors.indices {
            cursors[index].slice(from: low, to: low + UInt32(BlockScan.size), into: &slices[index])
        }
        for (number, query) in plan.queries.enumerated() {
            switch query {
            case .audience(let node):
                let truth = truth(node, among: asked)
                for word in 0..<BlockScan.words {
                    let doubtful = truth.doubts[word] & asked[word]
                    answers[number].members.append(truth.holds[word] & asked[word] & ~doubtful)
                    answers[number].doubts.append(doubtful)
                }
            case .reduction(let stream, let reduction): collect(&answers[number], stream, reduction, asked)
            case .trait(let field): collect(&answers[number], field, asked)
            case .unknown: for word in 0..<BlockScan.words { answers[number].doubts.append(asked[word]) }
            }
        }
    }

    private func forgetBlock() {
        scratch.reset()
        for index in slices.indices { slices[index].removeAll(keepingCapacity: true) }
        for index in streamMasks.indices { BlockScan.forget(&streamMasks[index]) }
        for index in conditionMasks.indices { BlockScan.forget(&conditionMasks[index]) }
        for table in decoded.indices {
            for column in decoded[table].indices { BlockScan.forget(&decoded[table][column]) }
        }
        BlockScan.forget(&leafTruths)
        BlockScan.forget(&followers)
        lastAskedID = 0
    }

    private static func forget<Element>(_ elements: inout [Element?]) {
        for index in elements.indices { elements[index] = nil }
    }

    @inline(__always)
    static func set(_ words: UnsafeMutablePointer<UInt64>, _ bit: UInt32) {
        words[Int(bit >> 6)] |= 1 << UInt64(bit & 63)
    }

    /// Profiles of the block.
    func asked(_ words: UnsafePointer<UInt64>) -> Asked {
        lastAskedID += 1
        return Asked(words, id: lastAskedID)
    }

    // MARK: Columns

    /// A test as it is asked of a run's rows; `nil` where they have nothing in its column.
    func kernel(_ number: Int, _ slice: RowSlice) -> FieldKernel? {
        if let known = kernels[number][slice.run] { return known }
        let (field, test) = (plan.fieldTests[number].field, plan.fieldTests[number].test)
        guard let column = cursors[field.table].runs[slice.run].columns[field.column] else { return nil }
        let kernel = FieldKernel(test, column)
        kernels[number][slice.run] = kernel
        return kernel
    }

    /// The cells of a column of a run's rows, at least those of the active words; `nil` where they have nothing.
    func cells(_ field: ScanPlan.Field, _ slice: RowSlice, _ active: ActiveRows) -> UnsafePointer<UInt64>? {
        if let known = decoded[field.table][field.column][slice.run] { return known }
        guard let column = cursors[field.table].runs[slice.run].columns[field.column] else { return nil }
        let first = slice.firstRow
        if case .cells(let bits) = column.form { return bits + first }
        let cells = scratch.words(slice.rowCount)
        if let words = active.words {
            for word in words {
                let start = Int(word) << 6
                column.copy(first + start..<first + min(slice.rowCount, start + 64), to: cells + start)
            }
        } else {
            column.copy(first..<first + slice.rowCount, to: cells)
            decoded[field.table][field.column][slice.run] = UnsafePointer(cells)
        }
        return UnsafePointer(cells)
    }
}
