import History
import JSON

/// A condition on a column of the occurrence at hand against literals: the common filter, asked of 64 rows at a time, so
/// that what does not depend on the row is done once for all of them.
package final class FieldTest {
    package let lookup: ColumnLookup
    package let predicate: Predicate
    private let store: ValueStore

    init(_ lookup: ColumnLookup, _ predicate: Predicate, _ store: ValueStore) {
        self.lookup = lookup
        self.predicate = predicate
        self.store = store
    }

    /// The bits of `mask` whose rows pass; bit `n` stands for the row at `base + n`.
    func narrow(_ mask: UInt64, _ rows: RowSequence, base: Int, at now: Int64) -> UInt64 {
        guard let cells = lookup.cells(of: rows) else {
            // Nobody has anything here.
            return predicate.accepts(.missing) ?? acceptsSlowly(.missing, rows[base], now) ? mask : 0
        }
        var passing: UInt64 = 0
        var pending = mask
        while pending != 0 {
            let bit = pending.trailingZeroBitCount
            pending &= pending - 1
            let row = rows[base + bit]
            let cell = cells[row]
            if predicate.accepts(cell) ?? acceptsSlowly(cell, row, now) { passing |= 1 << UInt64(bit) }
        }
        return passing
    }

    private func acceptsSlowly(_ cell: Cell, _ row: Table.Row, _ now: Int64) -> Bool {
        let values: Operands =
            switch cell.kind {
            case .list: .list(cell)
            default: .one(cell.isInColumns ? .json(lookup.json(row)) : .cell(cell))
            }
        return values.contains(store) { predicate.accepts($0, at: now) }
    }
}

/// Goes through rows of a stream, and stops at those that the column tests and the limits of evidence let through. The
/// others fail at every instant and need not be seen.
struct RowCursor {
    private let plan: StreamPlan
    private let rows: RowSequence
    private let backwards: Bool
    private var remaining: Range<Int>
    private var base = 0
    private var mask: UInt64 = 0

    init(_ plan: StreamPlan, _ rows: RowSequence, _ range: Range<Int>, backwards: Bool = false) {
        self.plan = plan
        self.rows = rows
        self.backwards = backwards
        remaining = range
    }

    /// The next row's index, with what the rest of the filters say of it.
    mutating func next(_ evaluator: inout Evaluator, _ frame: Frame, _ scope: Scope) -> (index: Int, outcome: Outcome)?
    {
        while mask == 0 {
            guard !remaining.isEmpty else { return nil }
            load(evaluator)
        }
        let bit = backwards ? 63 - mask.leadingZeroBitCount : mask.trailingZeroBitCount
        mask &= ~(1 << UInt64(bit))
        return (base + bit, evaluator.remainingFilters(plan, rows[base + bit], frame, scope))
    }

    private mutating func load(_ evaluator: Evaluator) {
        let count = min(remaining.count, 64)
        base = backwards ? remaining.upperBound - count : remaining.lowerBound
        remaining = backwards ? remaining.lowerBound..<base : base + count..<remaining.upperBound
        mask = count == 64 ? .max : (1 << UInt64(count)) - 1
        if evaluator.limitsEvidence(plan) {
            for bit in 0..<count where !evaluator.isEvidence(plan, rows[base + bit]) { mask &= ~(1 << UInt64(bit)) }
        }
        for test in plan.fieldTests where mask != 0 {
            mask = test.narrow(mask, rows, base: base, at: evaluator.now)
        }
    }
}
