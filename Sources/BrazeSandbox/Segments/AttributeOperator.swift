import JSON

/// The operators of custom attribute filters (spec braze §5.3).
enum AttributeOperator: String, CaseIterable, Sendable {
    case isTrue = "is_true"
    case isFalse = "is_false"
    case isTrueOrNotSet = "is_true_or_not_set"
    case isFalseOrNotSet = "is_false_or_not_set"
    case exactly
    case doesNotEqual = "does_not_equal"
    case moreThan = "more_than"
    case lessThan = "less_than"
    case isAnyOf = "is_any_of"
    case isNoneOf = "is_none_of"
    case matchesRegex = "matches_regex"
    case doesNotMatchRegex = "does_not_match_regex"
    case containsAnyOf = "contains_any_of"
    case doesNotContainAnyOf = "does_not_contain_any_of"
    case includesAnyOf = "includes_any_of"
    case includesNoneOf = "includes_none_of"
    case isAllOf = "is_all_of"
    case isNotAllOf = "is_not_all_of"
    case valuesContainAnyOf = "values_contain_any_of"
    case valuesDoNotContainAnyOf = "values_do_not_contain_any_of"
    case hasAValue = "has_a_value"
    case isEmpty = "is_empty"
    case before, after
    case moreThanDaysAgo = "more_than_days_ago"
    case lessThanDaysAgo = "less_than_days_ago"
    case inMoreThanDays = "in_more_than_days"
    case inLessThanDays = "in_less_than_days"
    case dayOfYear = "day_of_year"
    case isBlank = "is_blank"
    case isNotBlank = "is_not_blank"

    /// What an operator compares with.
    enum Operand: String, Sendable {
        case none, number, texts, pattern, date, days
        /// `MM-DD`
        case monthDay = "month_day"
    }

    var operand: Operand {
        switch self {
        case .exactly, .doesNotEqual, .moreThan, .lessThan: .number
        case .isAnyOf, .isNoneOf, .containsAnyOf, .doesNotContainAnyOf, .includesAnyOf, .includesNoneOf, .isAllOf,
            .isNotAllOf, .valuesContainAnyOf, .valuesDoNotContainAnyOf:
            .texts
        case .matchesRegex, .doesNotMatchRegex: .pattern
        case .before, .after: .date
        case .moreThanDaysAgo, .lessThanDaysAgo, .inMoreThanDays, .inLessThanDays: .days
        case .dayOfYear: .monthDay
        default: .none
        }
    }

    /// The operators that the builder offers for a type.
    static func offered(for type: AttributeType) -> [AttributeOperator] {
        switch type {
        case .boolean: [.isTrue, .isFalse, .isTrueOrNotSet, .isFalseOrNotSet, .isBlank, .isNotBlank]
        case .number: [.exactly, .doesNotEqual, .moreThan, .lessThan, .isBlank, .isNotBlank]
        case .string:
            [
                .isAnyOf, .isNoneOf, .matchesRegex, .doesNotMatchRegex, .containsAnyOf, .doesNotContainAnyOf, .isBlank,
                .isNotBlank,
            ]
        case .array:
            [
                .includesAnyOf, .includesNoneOf, .isAllOf, .isNotAllOf, .valuesContainAnyOf, .valuesDoNotContainAnyOf,
                .matchesRegex, .hasAValue, .isEmpty,
            ]
        case .time:
            [
                .before, .after, .moreThanDaysAgo, .lessThanDaysAgo, .inMoreThanDays, .inLessThanDays, .dayOfYear,
                .isBlank, .isNotBlank,
            ]
        // Objects are filtered by a path to a leaf, whose type the filter names.
        case .object, .objects: [.isBlank, .isNotBlank]
        }
    }

    /// The label in today's builder.
    var label: String {
        switch self {
        case .isTrue: "is true"
        case .isFalse: "is false"
        case .isTrueOrNotSet: "is true or not set"
        case .isFalseOrNotSet: "is false or not set"
        case .exactly: "exactly"
        case .doesNotEqual: "does not equal"
        case .moreThan: "more than"
        case .lessThan: "less than"
        case .isAnyOf: "is any of"
        case .isNoneOf: "is none of"
        case .matchesRegex: "matches regex"
        case .doesNotMatchRegex: "does not match regex"
        case .containsAnyOf: "contains any of"
        case .doesNotContainAnyOf: "doesn't contain any of"
        case .includesAnyOf: "includes any of"
        case .includesNoneOf: "includes none of"
        case .isAllOf: "is all of"
        case .isNotAllOf: "isn't all of"
        case .valuesContainAnyOf: "values contain any of"
        case .valuesDoNotContainAnyOf: "values don't contain any of"
        case .hasAValue: "has a value"
        case .isEmpty: "is empty"
        case .before: "before"
        case .after: "after"
        case .moreThanDaysAgo: "more than days ago"
        case .lessThanDaysAgo: "less than days ago"
        case .inMoreThanDays: "in more than days"
        case .inLessThanDays: "in less than days"
        case .dayOfYear: "day of recurring event is"
        case .isBlank: "is blank"
        case .isNotBlank: "is not blank"
        }
    }

    /// The label of older articles, where it differs (§5.3, legacy labels).
    func legacyLabel(for type: AttributeType) -> String? {
        switch self {
        case .isAnyOf: "equals"
        case .isNoneOf: "does not equal"
        case .isTrue where type == .boolean: "equals true"
        case .isFalse where type == .boolean: "equals false"
        case .includesAnyOf: "includes value"
        case .includesNoneOf: "doesn't include value"
        default: nil
        }
    }

    /// The operator that a name denotes for a type; today's names first, then those of older articles.
    static func named(_ name: String, type: AttributeType, value: JSONValue?) -> AttributeOperator? {
        let key = name.lowercased().replacing(" ", with: "_")
        if let known = AttributeOperator(rawValue: key), offered(for: type).contains(known) { return known }
        switch (key, type) {
        case ("equals", .string): return .isAnyOf
        case ("does_not_equal", .string): return .isNoneOf
        case ("equals", .number): return .exactly
        case ("equals", .boolean): return value == false || value == "false" ? .isFalse : .isTrue
        case ("includes_value", .array): return .includesAnyOf
        case ("does_not_include_value", .array): return .includesNoneOf
        default: return nil
        }
    }

    /// Matches users who lack something: OR-ing two of them on one attribute selects everyone (§5.1).
    var isNegative: Bool {
        switch self {
        case .doesNotEqual, .isNoneOf, .doesNotMatchRegex, .doesNotContainAnyOf, .includesNoneOf, .isNotAllOf,
            .valuesDoNotContainAnyOf:
            true
        default: false
        }
    }
}
