import History
import JSON
import Model

extension Evaluator {
    /// What becomes of a stream, and the first later instant at which it could be something else.
    mutating func reduce(
        _ plan: StreamPlan, _ reducer: ReducerPlan, _ frame: Frame, _ scope: Scope
    ) -> (value: Operand, changesAt: Int64) {
        let window = window(plan, frame, scope)
        switch reducer {
        case .count where isPlain(plan):
            let oldest = window.inside.first.map(window.leavesAt) ?? never
            return (
                .json(.number(window.inside.count)), min(oldest, window.coming.first.map(window.comesAt) ?? never)
            )
        case .first(let field) where plan.sessionGap == nil:
            return firstValue(plan, window, field, frame, scope)
        case .last(let field) where plan.sessionGap == nil:
            return lastValue(plan, window, field, frame, scope)
        default: break
        }
        let matches = matches(plan, window, frame, scope)
        return (value(of: reducer, matches), matches.changesAt)
    }

    /// The earliest value: newer rows don't matter once it is found, older ones only if a filter comes to accept them.
    private mutating func firstValue(
        _ plan: StreamPlan, _ window: StreamWindow, _ field: FieldPlan, _ frame: Frame, _ scope: Scope
    ) -> (value: Operand, changesAt: Int64) {
        var changesAt = never
        var cursor = RowCursor(plan, window.rows, window.inside)
        while let (index, outcome) = cursor.next(&self, frame, scope) {
            changesAt = min(changesAt, outcome.changesAt)
            if outcome.holds, let value = self.value(field, window.rows[index], last: false) {
                return (value, min(changesAt, window.leavesAt(index)))
            }
        }
        return (.null, min(changesAt, nextComing(plan, window, frame, scope)))
    }

    /// The latest value: older rows don't matter once it is found.
    private mutating func lastValue(
        _ plan: StreamPlan, _ window: StreamWindow, _ field: FieldPlan, _ frame: Frame, _ scope: Scope
    ) -> (value: Operand, changesAt: Int64) {
        var changesAt = nextComing(plan, window, frame, scope)
        var cursor = RowCursor(plan, window.rows, window.inside, backwards: true)
        while let (index, outcome) = cursor.next(&self, frame, scope) {
            changesAt = min(changesAt, outcome.changesAt)
            if outcome.holds, let value = self.value(field, window.rows[index], last: true) {
                return (value, min(changesAt, window.leavesAt(index)))
            }
        }
        return (.null, changesAt)
    }

    /// The first or last value of a field in one row that is not null.
    private func value(_ field: FieldPlan, _ row: Table.Row, last: Bool) -> Operand? {
        var found: Operand?
        self.field(field, row).forEach(store) { operand in
            if !operand.isNull, last || found == nil { found = operand }
        }
        return found
    }

    private mutating func value(of reducer: ReducerPlan, _ matches: Matches) -> Operand {
        switch reducer {
        case .count: return .json(.number(matches.indices.count))
        case .sum(let field): return total(field, matches).map { NumericText.rounded($0.sum) }.number
        case .average(let field):
            return total(field, matches).map { NumericText.rounded($0.sum / Double($0.count)) }.number
        case .minimum(let field, let asText): return extreme(field, asText, .less, matches)
        case .maximum(let field, let asText): return extreme(field, asText, .greater, matches)
        case .first(let field): return edge(field, matches, last: false)
        case .last(let field): return edge(field, matches, last: true)
        case .mode(let field, let wholeLists, let minimumFrequency):
            var distinct = DistinctValues(store)
            forEachValue(field, matches, wholeLists: wholeLists) { distinct.add($0) }
            let groups = distinct.groups(&isTruncated)
            return groups.mostFrequent(minimum: minimumFrequency)?.value ?? .null
        case .unique(let field):
            let groups = distinct(field, matches)
            guard !groups.isEmpty else { return .null }
            return .json(
                .array(groups.sorted { $0.text.lexicographicallyPrecedes($1.text) }.map { $0.value.json(store) }))
        case .uniqueCount(let field): return .json(.number(distinct(field, matches).count))
        }
    }

    private mutating func distinct(_ field: FieldPlan, _ matches: Matches) -> [DistinctValues.Group] {
        var distinct = DistinctValues(store)
        forEachValue(field, matches, wholeLists: false) { distinct.add($0) }
        return distinct.groups(&isTruncated)
    }

    /// The values of a field that are not null, oldest first, those of a `$` path one by one or, as whole lists, together.
    private func forEachValue(
        _ field: FieldPlan, _ matches: Matches, wholeLists: Bool, _ body: (Operand) -> Void
    ) {
        for index in matches.indices {
            let values = self.field(field, matches.rows[index])
            if wholeLists, case .list(let list) = values {
                let elements = store.elements(of: list).filter { !$0.isNull }
                if !elements.isEmpty { body(.json(.array(elements.map(store.json)))) }
            } else {
                values.forEach(store) { if !$0.isNull { body($0) } }
            }
        }
    }

    /// `nil` where nothing is numeric.
    private func total(_ field: FieldPlan, _ matches: Matches) -> (sum: Double, count: Int)? {
        var sum = 0.0
        var count = 0
        forEachValue(field, matches, wholeLists: false) { operand in
            guard let number = operand.number(store) else { return }
            sum += number
            count += 1
        }
        return count > 0 ? (sum, count) : nil
    }

    private func extreme(_ field: FieldPlan, _ asText: Bool, _ wanted: Order, _ matches: Matches) -> Operand {
        asText ? extremeText(field, wanted, matches) : extremeNumber(field, wanted, matches)
    }

    private func extremeNumber(_ field: FieldPlan, _ wanted: Order, _ matches: Matches) -> Operand {
        var best: (number: Double, operand: Operand)?
        forEachValue(field, matches, wholeLists: false) { operand in
            guard let number = operand.number(store), number.isFinite else { return }
            if let best, wanted == .less ? number >= best.number : number <= best.number { return }
            best = (number, operand)
        }
        guard let best else { return .null }
        // A number is kept as it was sent; a numeric string becomes the number.
        if case .number = best.operand.atom(store) { return best.operand }
        return .json(.number(best.number))
    }

    private func extremeText(_ field: FieldPlan, _ wanted: Order, _ matches: Matches) -> Operand {
        var best: String?
        forEachValue(field, matches, wholeLists: false) { operand in
            guard let text = operand.atom(store).text else { return }
            guard let current = best else { return best = text }
            let (left, right) = wanted == .less ? (text, current) : (current, text)
            if left.utf8.lexicographicallyPrecedes(right.utf8) { best = text }
        }
        return .json(.string(orNull: best))
    }

    private func edge(_ field: FieldPlan, _ matches: Matches, last: Bool) -> Operand {
        let indices = last ? matches.indices.reversed() : matches.indices
        for index in indices {
            if let value = value(field, matches.rows[index], last: last) { return value }
        }
        return .null
    }
}

extension Double? {
    /// Null where there is none or it is beyond what JSON can say.
    fileprivate var number: Operand {
        guard let self, self.isFinite else { return .null }
        return .json(.number(self))
    }
}
