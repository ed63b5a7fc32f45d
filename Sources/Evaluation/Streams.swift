import History
import Model

/// Which rows of a stream count now, by time alone, and which will.
struct StreamWindow {
    let rows: RowSequence
    /// Indices of the rows that are inside now.
    let inside: Range<Int>
    /// Indices of the rows that are still too young: each comes in at its timestamp + `fromAge`.
    let coming: Range<Int>
    let fromAge: Int64
    let toAge: Int64

    /// When the row at an index is first too old.
    func leavesAt(_ index: Int) -> Int64 { toAge == never ? never : rows.timestamp(index) + toAge + 1 }
    func comesAt(_ index: Int) -> Int64 { rows.timestamp(index) + fromAge }
}

extension Evaluator {
    func window(_ plan: StreamPlan, _ frame: Frame, _ scope: Scope) -> StreamWindow {
        let rows = scope.rows(plan, in: history)
        var earliest = timestampFrom
        var latest = never
        if let parent = plan.parent, frame.row >= 0 {
            let start = parent.timestamp(frame.row)
            earliest = max(earliest, start + plan.fromParent)
            if plan.toParent != never { latest = start + plan.toParent }
        }
        guard rows.count > 0, plan.fromAge <= plan.toAge else {
            return StreamWindow(rows: rows, inside: 0..<0, coming: 0..<0, fromAge: plan.fromAge, toAge: plan.toAge)
        }
        let oldest = plan.toAge == never ? earliest : max(earliest, now - plan.toAge)
        let youngest = min(latest, now - plan.fromAge)
        let start = rows.firstIndex(from: oldest)
        // Rows up to `youngest` are old enough; those after it up to `latest` will be.
        let end = rows.firstIndex(from: youngest + 1)
        let last = latest == never ? rows.count : rows.firstIndex(from: latest + 1)
        let firstComing = max(end, earliest == .min ? 0 : rows.firstIndex(from: earliest))
        return StreamWindow(
            rows: rows, inside: start..<max(start, end), coming: firstComing..<max(firstComing, last),
            fromAge: plan.fromAge, toAge: plan.toAge)
    }

    /// Whether time alone decides which rows count.
    func isPlain(_ plan: StreamPlan) -> Bool { passesAll(plan) && plan.sessionGap == nil }

    /// Whether no filter but windows can keep a row out.
    private func passesAll(_ plan: StreamPlan) -> Bool {
        plan.conditions.isEmpty && plan.fieldTests.isEmpty && !limitsEvidence(plan)
    }

    func limitsEvidence(_ plan: StreamPlan) -> Bool {
        receivedFrom != .min || receivedUpTo != never || !plan.excludedSources.isEmpty
    }

    func isEvidence(_ plan: StreamPlan, _ row: Table.Row) -> Bool {
        if receivedFrom != .min, plan.table.receivedAt(row) < receivedFrom { return false }
        if receivedUpTo != never, plan.table.receivedAt(row) > receivedUpTo { return false }
        return plan.excludedSources.isEmpty || !plan.excludedSources.contains(plan.table.source(row))
    }

    /// Whether a row that a cursor stopped at passes the other filters too, and until when that is so.
    mutating func remainingFilters(_ plan: StreamPlan, _ row: Table.Row, _ frame: Frame, _ scope: Scope) -> Outcome {
        guard !plan.conditions.isEmpty else { return (true, never) }
        var decision = Decision(false)
        for condition in plan.conditions where !decision.isFinal {
            decision.add(self.condition(condition, frame.inside(row), scope))
        }
        return decision.outcome
    }

    /// When the next row comes in that may pass; `never` if none does.
    mutating func nextComing(_ plan: StreamPlan, _ window: StreamWindow, _ frame: Frame, _ scope: Scope) -> Int64 {
        if window.coming.isEmpty { return never }
        if passesAll(plan) { return window.comesAt(window.coming.lowerBound) }
        var cursor = RowCursor(plan, window.rows, window.coming)
        while let (index, outcome) = cursor.next(&self, frame, scope) {
            // What the other filters will say of the row when it comes is known now only if they are timeless.
            if outcome.holds || !plan.isTimeless { return window.comesAt(index) }
        }
        return never
    }

    // MARK: Counts

    /// A count's comparison with a whole number, without counting more than it takes (spec: engage §2.9).
    mutating func count(_ plan: StreamPlan, _ test: CountTest, _ frame: Frame, _ scope: Scope) -> Outcome {
        switch test {
        case .never: return (false, never)
        case .atLeast(let number) where number <= 0: return (true, never)
        case .exactly(let number) where number < 0: return (false, never)
        case .atLeast, .exactly: break
        }
        let window = window(plan, frame, scope)
        guard isPlain(plan) else { return filteredCount(plan, window, test, frame, scope) }
        let count = window.inside.count
        switch test {
        case .atLeast(let number):
            // The last of the newest `number` that leaves first takes the count below.
            if count >= number { return (true, window.leavesAt(window.inside.upperBound - number)) }
            return (false, comesAt(number - count, window))
        case .exactly(let number):
            if count > number { return (false, window.leavesAt(window.inside.upperBound - number - 1)) }
            if count < number { return (false, comesAt(number - count, window)) }
            return (true, min(count > 0 ? window.leavesAt(window.inside.lowerBound) : never, comesAt(1, window)))
        case .never: return (false, never)
        }
    }

    /// When as many rows have come in.
    private func comesAt(_ number: Int, _ window: StreamWindow) -> Int64 {
        number <= window.coming.count ? window.comesAt(window.coming.lowerBound + number - 1) : never
    }

    private mutating func filteredCount(
        _ plan: StreamPlan, _ window: StreamWindow, _ test: CountTest, _ frame: Frame, _ scope: Scope
    ) -> Outcome {
        if case .atLeast(let number) = test, plan.sessionGap == nil {
            return filteredCount(plan, window, atLeast: number, frame, scope)
        }
        let matches = matches(plan, window, frame, scope)
        let holds =
            switch test {
            case .atLeast(let number): matches.indices.count >= number
            case .exactly(let number): matches.indices.count == number
            case .never: false
            }
        return (holds, matches.changesAt)
    }

    /// Newest first: as soon as enough are found, only those matter.
    private mutating func filteredCount(
        _ plan: StreamPlan, _ window: StreamWindow, atLeast number: Int, _ frame: Frame, _ scope: Scope
    ) -> Outcome {
        var found = 0
        var foundChange = never
        var otherChange = never
        var cursor = RowCursor(plan, window.rows, window.inside, backwards: true)
        while let (index, outcome) = cursor.next(&self, frame, scope) {
            guard outcome.holds else {
                otherChange = min(otherChange, outcome.changesAt)
                continue
            }
            found += 1
            foundChange = min(foundChange, outcome.changesAt)
            if found == number { return (true, min(foundChange, window.leavesAt(index))) }
        }
        return (false, min(otherChange, nextComing(plan, window, frame, scope)))
    }

    // MARK: Matches

    /// The rows that count, oldest first, and the first later instant at which they could be others.
    struct Matches {
        var rows: RowSequence
        var indices: [Int]
        var changesAt: Int64
    }

    mutating func matches(
        _ plan: StreamPlan, _ window: StreamWindow, _ frame: Frame, _ scope: Scope
    ) -> Matches {
        var indices: [Int] = []
        var changesAt = never
        if passesAll(plan) {
            indices = Array(window.inside)
        } else {
            var cursor = RowCursor(plan, window.rows, window.inside)
            while let (index, outcome) = cursor.next(&self, frame, scope) {
                changesAt = min(changesAt, outcome.changesAt)
                if outcome.holds { indices.append(index) }
            }
        }
        if let gap = plan.sessionGap { indices = Evaluator.latestSession(indices, window.rows, gap: gap) }
        if let oldest = indices.first { changesAt = min(changesAt, window.leavesAt(oldest)) }
        changesAt = min(changesAt, nextComing(plan, window, frame, scope))
        return Matches(rows: window.rows, indices: indices, changesAt: changesAt)
    }

    /// A session goes on while the next event comes at most `gap` after the one before. The latest one counts, also after
    /// it has ended, until the next begins (spec: engage §1.5).
    private static func latestSession(_ indices: [Int], _ rows: RowSequence, gap: Int64) -> [Int] {
        guard var start = indices.indices.last else { return [] }
        while start > 0, rows.timestamp(indices[start]) - rows.timestamp(indices[start - 1]) <= gap { start -= 1 }
        return Array(indices[start...])
    }
}
