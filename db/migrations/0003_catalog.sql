-- What services are sorted by.
--
-- Key space: none. Small, read by all, copied to every node.
create table category (
  category_id    uuid primary key default uuid7(),
  parent_id      uuid,
  name           text not null
                 constraint category_name_length
                 check (char_length(name) between 1 and 100),
  slug           text not null
                 constraint category_slug_taken unique
                 constraint category_slug_form
                 check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'
                        and char_length(slug) <= 100),
  description    text not null default ''
                 constraint category_description_length
                 check (char_length(description) <= 2000),
  icon           text not null default ''
                 constraint category_icon_length
                 check (char_length(icon) <= 50),
  is_active      boolean not null default true,
  sort_order     integer not null default 0,
  band_min_minor bigint,
  band_max_minor bigint,
  band_currency  text
                 constraint category_band_currency_form
                 check (band_currency ~ '^[A-Z]{3}$'),
  allows_courses boolean not null default true,
  created_at     timestamptz not null default now(),
  updated_at     timestamptz not null default now(),

  -- The tree is two levels deep: a parent has no parent of its own.
  is_top         boolean not null
                 generated always as (parent_id is null) stored,
  parent_is_top  boolean
                 generated always as
                 (case when parent_id is not null then true end) stored,
  constraint category_top unique (category_id, is_top),
  constraint category_parent_is_top
    foreign key (parent_id, parent_is_top)
    references category (category_id, is_top),

  constraint category_name_taken
    unique nulls not distinct (parent_id, name),
  constraint category_band
    check (num_nulls(band_min_minor, band_max_minor, band_currency) in (0, 3)
           and band_min_minor between 0 and band_max_minor)
);

create index category_by_parent
    on category (parent_id, sort_order, category_id);

-- What a new marketplace starts with; administrators change it from there.
insert into category (name, slug, icon, sort_order)
values ('Home Services',           'home-services',        'home',       10),
       ('Accounting & Tax',        'accounting-tax',       'calculator', 20),
       ('Design & Creative',       'design-creative',      'palette',    30),
       ('Programming & Tech',      'programming-tech',     'code',       40),
       ('Writing & Translation',   'writing-translation',  'pen',        50),
       ('Marketing & Business',    'marketing-business',   'megaphone',  60),
       ('Consulting & Advice',     'consulting-advice',    'briefcase',  70),
       ('Tutoring & Education',    'tutoring-education',   'school',     80),
       ('Personal Assistance',     'personal-assistance',  'person',     90),
       ('Family & Care',           'family-care',          'heart',     100),
       ('Events & Travel',         'events-travel',        'calendar',  110),
       ('Delivery & Labour',       'delivery-labour',      'truck',     120),
       ('Other Services',          'other-services',       'dots',      900);

insert into category (parent_id, name, slug, sort_order)
select top.category_id, child.name, child.slug, child.sort_order
  from (values
        ('home-services',       'Plumbing',            'plumbing',            10),
        ('home-services',       'Electrical',          'electrical',          20),
        ('home-services',       'House Cleaning',      'house-cleaning',      30),
        ('home-services',       'Repairs',             'repairs',             40),
        ('home-services',       'Renovation',          'renovation',          50),
        ('home-services',       'Cooking',             'cooking',             60),
        ('accounting-tax',      'Tax Preparation',     'tax-preparation',     10),
        ('accounting-tax',      'Bookkeeping',         'bookkeeping',         20),
        ('accounting-tax',      'Tax Declarations',    'tax-declarations',    30),
        ('accounting-tax',      'Legal Compliance',    'legal-compliance',    40),
        ('design-creative',     'Logo Design',         'logo-design',         10),
        ('design-creative',     'UI/UX Design',        'ui-ux-design',        20),
        ('design-creative',     'Graphic Design',      'graphic-design',      30),
        ('programming-tech',    'Web Development',     'web-development',     10),
        ('programming-tech',    'Mobile Apps',         'mobile-apps',         20),
        ('programming-tech',    'API Development',     'api-development',     30),
        ('programming-tech',    'Tech Support',        'tech-support',        40),
        ('writing-translation', 'Content Writing',     'content-writing',     10),
        ('writing-translation', 'Technical Documents', 'technical-documents', 20),
        ('writing-translation', 'Translation',         'translation',         30),
        ('marketing-business',  'Social Media',        'social-media',        10),
        ('marketing-business',  'SEO',                 'seo',                 20),
        ('marketing-business',  'Business Consulting', 'business-consulting', 30),
        ('consulting-advice',   'Legal Advice',        'legal-advice',        10),
        ('consulting-advice',   'Financial Advice',    'financial-advice',    20),
        ('consulting-advice',   'Career Coaching',     'career-coaching',     30),
        ('tutoring-education',  'Academic Tutoring',   'academic-tutoring',   10),
        ('tutoring-education',  'Language Teaching',   'language-teaching',   20),
        ('tutoring-education',  'Fitness',             'fitness',             30),
        ('personal-assistance', 'Data Entry',          'data-entry',          10),
        ('personal-assistance', 'Virtual Assistance',  'virtual-assistance',  20),
        ('personal-assistance', 'Errands',             'errands',             30),
        ('family-care',         'Childcare',           'childcare',           10),
        ('family-care',         'Elderly Care',        'elderly-care',        20),
        ('family-care',         'Pet Care',            'pet-care',            30),
        ('events-travel',       'Event Planning',      'event-planning',      10),
        ('events-travel',       'Travel Planning',     'travel-planning',     20),
        ('delivery-labour',     'Driving',             'driving',             10),
        ('delivery-labour',     'Deliveries',          'deliveries',          20),
        ('delivery-labour',     'Labour',              'labour',              30))
       as child (parent_slug, name, slug, sort_order)
  join category top on top.slug = child.parent_slug;
