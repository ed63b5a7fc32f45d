import JSON

/// An attribute operator with its operand, ready to be asked (spec braze §5.3).
///
/// A value of another type than the filter's drops out of every operator but the blank ones (§2.2, type registry).
struct ValueTest {
    private let comparison: AttributeOperator
    private let type: AttributeType
    private var texts: Set<String> = []
    private var parts: [String] = []
    private var number = 0.0
    private(set) var pattern: Pattern?
    private var start: EpochMilliseconds = 0
    private var end: EpochMilliseconds = 0
    private var month = 0
    private var day = 0
    private let calendar: CompanyCalendar
    private let now: EpochMilliseconds
    private let lessThanIncludesMissing: Bool

    init(
        _ comparison: AttributeOperator, _ type: AttributeType, _ value: JSONValue, _ audience: Audience,
        _ calendar: CompanyCalendar
    ) throws(DefinitionError) {
        self.comparison = comparison
        self.type = type
        self.calendar = calendar
        now = audience.now
        lessThanIncludesMissing = audience.lessThanIncludesMissing
        switch comparison.operand {
        case .none: break
        case .number: number = value.double ?? 0
        case .texts:
            parts = (value.array ?? []).compactMap(\.string)
            texts = Set(parts)
        case .pattern:
            pattern = value.string.flatMap { Pattern($0) }
            guard pattern != nil else {
                throw DefinitionError("The pattern \(value.string ?? "") is not a regular expression.")
            }
        case .date:
            let days = value.string.flatMap(CompanyCalendar.days) ?? 0
            end = calendar.start(ofDay: days)
            start = calendar.start(ofDay: days + 1)
        case .days:
            let span = CompiledFilter.milliseconds(days: value.double ?? 0)
            start = now - span
            end = now + span
        case .monthDay:
            let parts = (value.string ?? "").split(separator: "-").compactMap { Int($0) }
            month = parts.first ?? 0
            day = parts.last ?? 0
        }
    }

    func holds(_ value: AttributeValue?) -> Bool {
        switch comparison {
        case .isBlank: return value == nil || value == .string("")
        case .isNotBlank: return value != nil && value != .string("")
        default: break
        }
        guard let value else { return holdsWhenMissing }
        switch (type, value) {
        case (.boolean, .boolean(let bool)): return holds(bool)
        case (.number, .number(let value)): return holds(value.double)
        case (.string, .string(let text)): return holds(text)
        case (.time, .time(let instant)): return holds(instant)
        case (.array, .array(let elements)): return holds(elements)
        default: return false
        }
    }

    private var holdsWhenMissing: Bool {
        switch comparison {
        case .isTrueOrNotSet, .isFalseOrNotSet: true
        case .exactly: number == 0
        case .lessThan: lessThanIncludesMissing
        case .doesNotEqual, .isNoneOf, .doesNotContainAnyOf, .includesNoneOf, .isNotAllOf, .valuesDoNotContainAnyOf,
            .isEmpty:
            true
        default: false
        }
    }

    private func holds(_ bool: Bool) -> Bool {
        switch comparison {
        case .isTrue, .isTrueOrNotSet: bool
        case .isFalse, .isFalseOrNotSet: !bool
        default: false
        }
    }

    private func holds(_ value: Double) -> Bool {
        switch comparison {
        case .exactly: value == number
        case .doesNotEqual: value != number
        case .moreThan: value > number
        case .lessThan: value < number
        default: false
        }
    }

    private func holds(_ text: String) -> Bool {
        switch comparison {
        case .isAnyOf: texts.contains(text)
        case .isNoneOf: !texts.contains(text)
        case .matchesRegex: pattern?.isFound(in: text) ?? false
        case .doesNotMatchRegex: !(pattern?.isFound(in: text) ?? true)
        case .containsAnyOf: parts.contains { text.contains($0) }
        case .doesNotContainAnyOf: !parts.contains { text.contains($0) }
        default: false
        }
    }

    private func holds(_ elements: [JSONValue]) -> Bool {
        let values = elements.map { $0.string ?? $0.description }
        switch comparison {
        case .includesAnyOf: return values.contains { texts.contains($0) }
        case .includesNoneOf: return !values.contains { texts.contains($0) }
        case .isAllOf: return texts.isSubset(of: values)
        case .isNotAllOf: return !texts.isSubset(of: values)
        case .valuesContainAnyOf: return values.contains { value in parts.contains { value.contains($0) } }
        case .valuesDoNotContainAnyOf: return !values.contains { value in parts.contains { value.contains($0) } }
        case .matchesRegex: return values.contains { pattern?.isFound(in: $0) ?? false }
        case .hasAValue: return !values.isEmpty
        case .isEmpty: return values.isEmpty
        default: return false
        }
    }

    private func holds(_ instant: EpochMilliseconds) -> Bool {
        switch comparison {
        case .before: return instant < end
        case .after: return instant >= start
        case .moreThanDaysAgo: return instant < start
        case .lessThanDaysAgo: return instant >= start && instant <= now
        case .inMoreThanDays: return instant > end
        case .inLessThanDays: return instant >= now && instant <= end
        case .dayOfYear:
            let fields = calendar.fields(instant)
            return fields.month == month && fields.day == day
        default: return false
        }
    }

    // MARK: Nested values

    /// Follows a path into an object, or into every element of an array of objects: any element qualifies.
    func holds(_ value: AttributeValue?, path: String) -> Bool {
        let steps = path.split(separator: ".").map(String.init).filter { $0 != "[]" }
        switch value {
        case .object(let object)?: return holds(leaf(object, steps[...]))
        case .objects(let objects)?:
            let leaves = objects.map { leaf($0, steps[...]) }
            if comparison == .isBlank { return leaves.allSatisfy { holds($0) } }
            return leaves.isEmpty ? holds(nil) : leaves.contains { holds($0) }
        default: return holds(nil)
        }
    }

    private func leaf(_ object: JSONObject, _ steps: ArraySlice<String>) -> AttributeValue? {
        guard let step = steps.first, let value = object[step] else { return nil }
        guard steps.count == 1 else { return value.object.flatMap { leaf($0, steps.dropFirst()) } }
        switch value {
        case .null: return nil
        case .bool(let bool): return .boolean(bool)
        case .number(let number): return .number(number)
        case .string(let text): return type == .time ? DateText.parse(text).map { .time($0) } : .string(text)
        case .array(let elements): return .array(elements)
        case .object(let inner):
            if let text = inner["$time"]?.string, let instant = DateText.parse(text) { return .time(instant) }
            return .object(inner)
        }
    }
}
