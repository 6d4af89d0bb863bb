package db

const TagsNameKey = "tags_name_key"
